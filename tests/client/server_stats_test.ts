import { test } from "bun:test";
import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { parseAnswer, ServerStats } from "../../lib/client/server_stats.ts";
import { TargetUnreachableError } from "../../lib/errors.ts";
import { ChildServer, LocalServer, until } from "../server/running_server.ts";
import { runClient } from "../cli/client_process.ts";
import { freePort } from "../interop/program.ts";

const urlOf = (server: LocalServer | ChildServer) =>
  new URL(
    server.outLines.find((line) => line.startsWith("statistics on "))!
      .slice("statistics on ".length),
  );

test("ask() reads a server's statistics again over the same connection", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"]);
  const stats = await ServerStats.open(urlOf(server));
  try {
    assert.deepEqual([stats.latest?.role, stats.latest?.total.accepted], ["server", 0]);
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.portOf("tcp"),
      socket: { data() {} },
    });
    await until("the server counts it", () => {
      stats.ask();
      return stats.latest?.total.accepted === 1;
    });
    socket.terminate();
    assert.equal(stats.failure, undefined);
  } finally {
    stats.close();
  }
});

test("silentMs grows while the server stands still, and failure tells of its end", async () => {
  await using server = await ChildServer.start(["tcp://127.0.0.1:0"]);
  const stats = await ServerStats.open(urlOf(server));
  try {
    server.kill("SIGSTOP");
    stats.ask();
    await Bun.sleep(300);
    assert.ok(stats.silentMs >= 250, `${stats.silentMs}`);
    await stats.settle(100);
    assert.ok(stats.silentMs >= 350);
    assert.equal(stats.failure, undefined);
    server.kill("SIGCONT");
    await until("the answer comes", () => stats.silentMs === 0);
    server.kill("SIGKILL");
    await until("its end is noticed", () => {
      stats.ask();
      return stats.failure !== undefined;
    });
    assert.equal(stats.latest?.role, "server", "what was read last stays");
  } finally {
    stats.close();
  }
}, 30_000);

async function serving(answer: string): Promise<{ server: Server; url: URL }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    server,
    url: new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}/`),
  };
}

test("open() says early that there are no statistics", async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", /status 404/],
    ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", /schema version/],
    ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno JSON at", /not JSON/],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", /schema version/],
    ["220 mail.example ESMTP\r\n\r\n", /status 0/],
    ["", /closed the connection/],
  ];
  for (const [answer, message] of cases) {
    const { server, url } = await serving(answer);
    await assert.rejects(ServerStats.open(url), (error) => {
      assert.ok(error instanceof TargetUnreachableError, String(error));
      assert.match(error.message, message);
      return error.message.startsWith(`--server-stats ${url.href}: `) &&
        !error.message.includes("\n");
    });
    server.close();
  }
});

test("--server-stats that nobody serves keeps the run from starting", async () => {
  const port = await freePort();
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"]);
  const target = `tcp://127.0.0.1:${server.portOf("tcp")}`;
  const run = await runClient([target, "-c", "max", "--server-stats", `127.0.0.1:${port}`]);
  assert.equal(run.exitCode, 4);
  assert.match(run.err, /^holdfast: --server-stats http:\/\/127\.0\.0\.1:\d+\/: [^\n]*\n$/);
  assert.equal(run.snapshot, undefined);
  assert.equal((await server.snapshot()).total.accepted, 0);
});

test("parseAnswer() waits for all of an answer, whatever its form", () => {
  const plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
    "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
  for (const text of [plain, chunked]) {
    const bytes = new TextEncoder().encode(text);
    for (let end = 0; end < bytes.length; end++) {
      const part = parseAnswer(bytes.subarray(0, end));
      // The line after the last chunk may be missing.
      if (part !== undefined) assert.ok(end >= bytes.length - 2 && text === chunked, `${end}`);
    }
    assert.deepEqual(parseAnswer(bytes), { status: 200, body: "hello" });
  }
});
