/**
 * `deno task demo`: a server and a client of the compiled executable on loopback, over TCP and then
 * over WebSocket, with the server's `/stats` fetched while they run.
 */
import process from "node:process";

const executable = `${import.meta.dir}/dist/holdfast`;
const load = ["-c", "1000", "--connect-rate", "500", "-r", "20000", "-t", "10s"];
const startTimeoutMs = 10_000;
/** The client's exit code where the generator did not get the CPU that it needed. */
const invalidRun = 3;

const server = Bun.spawn(
  [executable, "server", "tcp://127.0.0.1:0", "ws://127.0.0.1:0", "--stats", "127.0.0.1:0"],
  { stdout: "pipe", stderr: "inherit", stdin: "ignore" },
);
const deadline = setTimeout(() => server.kill("SIGKILL"), startTimeoutMs);
process.on("exit", () => server.kill("SIGKILL"));

const started = await readStart(server.stdout);
clearTimeout(deadline);
let exitCode = 0;
for (const endpoint of started.endpoints) {
  const code = await runClient(endpoint, started.statsUrl);
  if (code === invalidRun) {
    console.log("(An invalid verdict is about this machine just now, not about the demo.)");
  } else exitCode ||= code;
}
server.kill("SIGTERM");
exitCode ||= await server.exited;
process.exit(exitCode);

/** Reads the endpoints that the server bound, and goes on discarding what it prints later. */
async function readStart(stream: ReadableStream<Uint8Array>) {
  const endpoints: string[] = [];
  let text = "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the server ended before it listened:\n${text}`);
    text += decoder.decode(value, { stream: true });
    const statsUrl = /statistics on (http:\S+)/.exec(text)?.[1];
    endpoints.splice(0, Infinity, ...[...text.matchAll(/listening on (\S+)/g)].map((m) => m[1]!));
    if (statsUrl === undefined || endpoints.length < 2) continue;
    process.stdout.write(text);
    void drain(reader);
    return { endpoints, statsUrl };
  }
}

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}

async function runClient(endpoint: string, statsUrl: string): Promise<number> {
  console.log(`\n$ holdfast client ${endpoint} ${load.join(" ")}`);
  const client = Bun.spawn([executable, "client", endpoint, ...load, "--stats", "off"], {
    stdout: "inherit",
    stderr: "inherit",
    stdin: "ignore",
  });
  await Bun.sleep(6000);
  const url = `${statsUrl}stats`;
  const response = await fetch(url);
  const stats = await response.json() as { total: { open: number; bytesReceived: number } };
  console.log(
    `the server's ${url} meanwhile: ` +
      `${stats.total.open} connections open, ${stats.total.bytesReceived} bytes received`,
  );
  return await client.exited;
}
