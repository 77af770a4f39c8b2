import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { openSync } from "node:fs";
import process from "node:process";

const root = `${import.meta.dir}/../..`;
const fixture = `${import.meta.dir}/process_fixture.ts`;
const timeoutMs = 30_000;
const running = new Set<Bun.Subprocess>();

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program of the project with its outputs captured. */
function spawn(argv: readonly string[], environment: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, ...argv], {
    cwd: root,
    env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", ...environment },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  running.add(child);
  child.exited.then(() => running.delete(child));
  return child;
}

async function outcome(child: ReturnType<typeof spawn>) {
  const [out, err, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, exitCode };
}

/** Waits for a first piece of output and returns what comes after it, up to the end. */
async function afterFirstOutput(child: ReturnType<typeof spawn>, then: () => void) {
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let out = decoder.decode((await reader.read()).value);
  then();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    out += decoder.decode(part.value);
  }
  return { out, err: await new Response(child.stderr).text(), exitCode: await child.exited };
}

const shell = (line: string) =>
  Bun.spawn(["sh", "-c", line], {
    env: { PATH: process.env["PATH"] ?? "", BUN: process.execPath, FIXTURE: fixture, ROOT: root },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });

test("Terminal keeps lines and bytes in order and complete for a slow reader", async () => {
  const child = shell(`"$BUN" "$FIXTURE" interleave | { sleep 1; cat; }`);
  const out = await new Response(child.stdout).text();
  const expected = Array.from({ length: 20_000 }, (_, index) => `line ${index}\nbytes ${index}\n`);
  assert.ok(out === expected.join(""), `${out.length} of ${expected.join("").length} characters`);
});

test("Terminal discards quietly what nobody reads", async () => {
  const child = shell(`{ "$BUN" "$FIXTURE" interleave; echo "code $?" >&2; } | head -n 1`);
  assert.equal(await new Response(child.stdout).text(), "line 0\n");
  assert.equal(await new Response(child.stderr).text(), "code 0\n");
});

// Only Linux has a device that is always full.
test.skipIf(process.platform !== "linux")("Terminal says that results were lost", async () => {
  const child = Bun.spawn([process.execPath, fixture, "interleave"], {
    stdout: openSync("/dev/full", "w"),
    stderr: "pipe",
    timeout: timeoutMs,
  });
  const err = await new Response(child.stderr).text();
  assert.match(err, /^cannot write to standard output: ENOSPC[^\n]*\n$/);
  assert.equal(await child.exited, 2);
});

test("Terminal replaces the live line and puts it back below other output", async () => {
  const { out, err } = await outcome(spawn([fixture, "live", "terminal"]));
  assert.equal(out, "result\n");
  const erase = "\r\x1b[K";
  const cut = "second, which is lo";
  assert.equal(cut.length, 19);
  assert.equal(
    err,
    `${erase}first${erase}${cut}${erase}${cut}${erase}note\n${cut}${erase}`,
  );
});

test("Terminal shows no live line where there is no terminal", async () => {
  const { out, err } = await outcome(spawn([fixture, "live"]));
  assert.equal(out, "result\n");
  assert.equal(err, "note\n");
});

test("Terminal reads all of standard input", async () => {
  const child = spawn([fixture, "stdin"]);
  child.stdin.write("2\n100 5\n");
  child.stdin.write("200 6\n");
  child.stdin.end();
  assert.equal((await outcome(child)).out, "2\n100 5\n200 6\n\n");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`abortOnSignals() lets a command end with its report at ${signal}`, async () => {
    const child = spawn([fixture, "interrupted"]);
    const { out, err, exitCode } = await afterFirstOutput(child, () => child.kill(signal));
    assert.equal(out, "ready\nreport\n");
    assert.equal(err, `announced ${signal}\n`);
    assert.equal(exitCode, 0);
  });
}

test("abortOnSignals() ends the process at once at the second signal", async () => {
  const child = spawn([fixture, "stuck"]);
  const first = child.stdout.getReader();
  await first.read();
  child.kill("SIGINT");
  // The second must not arrive together with the first, which would merge them.
  const announced = child.stderr.getReader();
  assert.match(new TextDecoder().decode((await announced.read()).value), /announced SIGINT/);
  child.kill("SIGTERM");
  assert.equal(await child.exited, 130);
});

test("abortOnSignals() takes a signal that comes twice at once for one", async () => {
  const child = spawn([fixture, "interrupted"]);
  const { out, exitCode } = await afterFirstOutput(child, () => {
    // Those that wait to be delivered together would be one anyway.
    const endMs = performance.now() + 5;
    while (performance.now() < endMs) child.kill("SIGTERM");
  });
  assert.equal(out, "ready\nreport\n");
  assert.equal(exitCode, 0);
});

test("catchUnhandled() reports one bug in one line and lets the run end", async () => {
  const { out, err, exitCode } = await outcome(spawn([fixture, "thrower"]));
  assert.match(err, /^holdfast: this is a bug, please report it: RangeError: rejected [^\n]*\n$/);
  assert.equal(out, "report, 4 unhandled\n");
  assert.equal(exitCode, 0);
});

test("mod.ts, server.ts and client.ts are the command line", async () => {
  const [whole, server, client] = await Promise.all([
    outcome(spawn(["mod.ts", "client", "--help"])),
    outcome(spawn(["server.ts", "--help"])),
    outcome(spawn(["client.ts", "--help"])),
  ]);
  assert.match(server.out, /^holdfast server: /);
  assert.match(client.out, /^holdfast client: /);
  assert.equal(whole.out, client.out);
  for (const { err, exitCode } of [whole, server, client]) {
    assert.equal(err, "");
    assert.equal(exitCode, 0);
  }
});

test("importing mod.ts runs nothing", async () => {
  const child = spawn([
    "-e",
    `import { UsageError } from "./mod.ts"; console.log(UsageError.name)`,
  ]);
  assert.deepEqual(await outcome(child), { out: "UsageError\n", err: "", exitCode: 0 });
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`holdfast server ends with its report and exit code 0 at ${signal}`, async () => {
    const child = spawn(["server.ts", "tcp://127.0.0.1:0", "--stats", "off"]);
    const { out, err, exitCode } = await afterFirstOutput(child, () => child.kill(signal));
    assert.match(out, /^listening on tcp:\/\/127\.0\.0\.1:\d+\n[^]*holdfast server, /);
    assert.equal(err, "");
    assert.equal(exitCode, 0);
  });
}

test("the environment sets options, and errors are one line without a trace", async () => {
  const { out, err, exitCode } = await outcome(
    spawn(["mod.ts", "client", "tcp://:1"], { HOLDFAST_RATE: "fast" }),
  );
  assert.equal(out, "");
  assert.match(err, /^holdfast: HOLDFAST_RATE: "fast" is not a rate[^\n]*\n$/);
  assert.equal(exitCode, 2);
});

const wrongLines: [string[], RegExp][] = [
  [["client", "gopher://box:70"], /unknown scheme "gopher"; use one of tcp/],
  [["client", "tcp://box:70000"], /"70000"; a port is a whole number from 0 to 65535/],
  [["client", "tcp://:1", "-r", "5", "--inflight", "2"], /--rate and --inflight contradict/],
  [["client", "tcp://:1", "--insecure"], /--insecure applies to tls, wss or quic endpoints/],
  [["client", "udp://:1", "-r", "5", "--datagrams"], /--datagrams applies to quic endpoints/],
  [["server", "gopher://:70"], /unknown scheme "gopher"/],
  [["server", "tcp://:0", "--cert", "c", "--key", "k"], /applies to tls, wss or quic endpoints/],
  [["server", "tls://:0", "--cert", "/nowhere/c", "--key", "/nowhere/k"], /\/nowhere\/c/],
  [["client", "tls://:1", "--ca", "/nowhere/ca.pem"], /\/nowhere\/ca\.pem/],
  [["client", "tcp://:1", "--schedule", "/nowhere/plan"], /\/nowhere\/plan/],
];

for (const [argv, message] of wrongLines) {
  test(`holdfast ${argv.join(" ")} says in one line what is wrong`, async () => {
    const { out, err, exitCode } = await outcome(spawn(["mod.ts", ...argv]));
    assert.match(err, message);
    assert.match(err, /^holdfast: [^\n]*\n$/);
    assert.equal(out, "");
    assert.equal(exitCode, 2);
  });
}
