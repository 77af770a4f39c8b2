import { test } from "bun:test";
import assert from "node:assert/strict";
import { totalLost } from "../../lib/stats/metrics.ts";
import { LocalServer } from "../server/running_server.ts";
import { poisson, runLoad, snapshotOf, uniform } from "./load_run.ts";

const reconnect = { firstMs: 20, lastMs: 200 };

/** An echo server whose connections and answers are in the hand of the test. */
class FickleServer implements AsyncDisposable {
  readonly sockets = new Set<Bun.Socket<unknown>>();
  isListening = true;
  readonly port: number;
  readonly #listener: Bun.TCPSocketListener;

  constructor(answer = (bytes: Uint8Array) => bytes) {
    this.#listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        binaryType: "uint8array",
        open: (socket) => {
          if (this.isListening) this.sockets.add(socket);
          else socket.terminate();
        },
        data: (socket, bytes) => void socket.write(answer(bytes)),
        close: (socket) => void this.sockets.delete(socket),
        error() {},
      },
    });
    this.port = this.#listener.port;
  }

  /** Ends every connection; new ones end at once until it listens again. */
  drop(): void {
    this.isListening = false;
    for (const socket of this.sockets) socket.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listener.stop(true);
    return Promise.resolve();
  }
}

test("a closed loop goes on with the connections that are back", async () => {
  await using server = new FickleServer();
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "inflight", outstanding: 3 },
    message: 64,
    connections: 5,
    durationMs: 1500,
    reconnect,
    during: () => {
      setTimeout(() => server.drop(), 400);
      setTimeout(() => server.isListening = true, 700);
    },
  });
  const { outages, connections, messages } = snapshot;
  assert.equal(outages?.total, 1);
  const [outage] = outages.list;
  assert.equal(outage!.connections, 5);
  assert.equal(outage!.down, 0);
  // This server accepts, and ends what it has accepted: a connection is not back by that.
  assert.ok(outage!.lostAgain > 0 && outage!.back50Ms > 200, JSON.stringify(outage));
  assert.ok(outage!.longestGapMs > 200);
  assert.equal(outage!.lost, totalLost(messages.lost));
  assert.equal(connections.open, 5);
  assert.equal(connections.lost, 5 + outage!.lostAgain);
});

test("a closed loop keeps its messages outstanding while connections are recycled", async () => {
  await using server = new FickleServer();
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "inflight", outstanding: 2 },
    message: 64,
    connections: 3,
    durationMs: 1000,
    recyclePerSecond: 200,
  });
  const { connections, messages, histograms } = snapshot;
  assert.ok(connections.recycled! > 20, String(connections.recycled));
  assert.equal(totalLost(messages.lost), 0);
  assert.deepEqual([connections.lost, connections.failed], [0, 0]);
  assert.equal(connections.open, connections.opened - connections.recycled!);
  assert.equal(histograms.reconnect?.count, connections.reopened);
  // Without --reconnect nobody asked for outages.
  assert.equal(snapshot.outages, undefined);
});

test("in interval mode the messages of connections that are down are due and not sent", async () => {
  await using server = new FickleServer();
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "interval", intervalMs: 20 },
    message: 64,
    connections: 10,
    connectsPerSecond: 10_000,
    durationMs: 1000,
    reconnect: { firstMs: 300, lastMs: 300 },
    during: () => {
      // Half of them, for 300 ms: 75 messages.
      setTimeout(() => [...server.sockets].slice(0, 5).forEach((s) => s.terminate()), 300);
    },
  });
  const { steady, outages, requestedRate } = snapshot;
  const [outage] = outages!.list;
  assert.equal(outage!.connections, 5);
  assert.ok(Math.abs(outage!.unsent - 75) <= 15, JSON.stringify(outage));
  const { noConnection, heldBack } = snapshot.messages.unsent;
  assert.equal(outage!.unsent, noConnection + heldBack);
  assert.ok(Math.abs(steady.due - 500) <= 2, JSON.stringify(steady));
  assert.ok(Math.abs(requestedRate - 500) < 5);
});

test("without --reconnect nothing is due on connections that are gone", async () => {
  await using server = new FickleServer();
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "interval", intervalMs: 20 },
    message: 64,
    connections: 10,
    connectsPerSecond: 10_000,
    durationMs: 600,
    during: () => {
      setTimeout(() => [...server.sockets].slice(0, 5).forEach((s) => s.terminate()), 300);
    },
  });
  assert.equal(snapshot.steady.unsent.noConnection, 0);
  assert.equal(snapshot.outages, undefined);
  assert.equal(snapshot.connections.lost, 5);
  assert.ok(snapshot.steady.due < 270, String(snapshot.steady.due));
});

test("the plan of times is the same with an outage and without", async () => {
  const due = async (drops: boolean) => {
    await using server = new FickleServer();
    const { snapshot, books } = await runLoad({
      endpoint: `tcp://127.0.0.1:${server.port}`,
      load: poisson(1000),
      message: 64,
      connections: 4,
      durationMs: 600,
      reconnect,
      during: () => {
        if (drops) setTimeout(() => [...server.sockets][0]?.terminate(), 300);
      },
    });
    assert.ok(books !== undefined);
    return snapshot.steady.due;
  };
  assert.equal(await due(true), await due(false));
});

test("a run that finds nobody goes on trying, and says in the end that nobody was there", async () => {
  const { snapshot } = await runLoad({
    endpoint: "tcp://127.0.0.1:1",
    load: uniform(100),
    message: 64,
    connections: 3,
    durationMs: 600,
    reconnect,
  });
  const { connections, outages, steady } = snapshot;
  assert.equal(connections.opened, 0);
  assert.ok(connections.failed > 6, String(connections.failed));
  // Attempts may be under way when the run ends.
  const pending = connections.attempted - connections.failed;
  assert.ok(pending >= 0 && pending <= 3, String(pending));
  assert.equal(steady.unsent.noConnection, steady.due);
  const [outage] = outages!.list;
  assert.deepEqual([outage!.connections, outage!.down, outage!.isOver], [3, 3, false]);
  assert.equal(outage!.unsent, steady.due);
});

test("a UDP server that only falls silent is an outage from its first unanswered message", async () => {
  let isSilent = false;
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes, port, address) {
        if (!isSilent) socket.send(bytes, port, address);
      },
    },
  });
  let silentAtMs = NaN;
  try {
    const { snapshot } = await runLoad({
      endpoint: `udp://127.0.0.1:${socket.port}`,
      load: uniform(400),
      message: 64,
      connections: 4,
      durationMs: 2500,
      replyTimeoutMs: 200,
      reconnect,
      during: (generator) => {
        setTimeout(() => {
          isSilent = true;
          silentAtMs = snapshotOf(generator).elapsedMs;
        }, 500);
        setTimeout(() => isSilent = false, 1200);
      },
    });
    const { outages, messages } = snapshot;
    assert.equal(outages?.total, 1);
    const [outage] = outages.list;
    assert.deepEqual([outage!.connections, outage!.down], [4, 0]);
    const lateMs = outage!.beganMs - silentAtMs;
    assert.ok(lateMs > -20 && lateMs < 60, `${lateMs} ms: ${JSON.stringify(outage)}`);
    assert.ok(outage!.back50Ms > 600, JSON.stringify(outage));
    // All that was lost; answers do not outlive the sockets that asked.
    assert.equal(outage!.lost, totalLost(messages.lost));
  } finally {
    socket.close();
  }
});

test("identify counts connections by the id of their server, or else by its address", async () => {
  for (const announcedId of ["here", undefined]) {
    await using server = await LocalServer.start(
      ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "ws://127.0.0.1:0"],
      announcedId === undefined ? {} : { announcedId },
    );
    for (const { scheme, port } of server.endpoints) {
      const { snapshot } = await runLoad({
        endpoint: `${scheme}://127.0.0.1:${port}`,
        load: uniform(200),
        message: 64,
        connections: 6,
        durationMs: 200,
        identify: true,
      });
      assert.deepEqual(snapshot.servers, { [announcedId ?? "127.0.0.1"]: 6 }, scheme);
      assert.equal(snapshot.messages.answered, snapshot.messages.sent);
    }
  }
}, 30_000);

test("identify gives up a target that does not echo", async () => {
  await using server = new FickleServer((bytes) => bytes.map((byte) => byte ^ 1));
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(100),
    message: 64,
    connections: 2,
    durationMs: 300,
    identify: true,
  });
  const { connections } = snapshot;
  assert.deepEqual([connections.opened, connections.failed], [0, 2]);
  assert.equal(connections.failures[0]!.kind, "protocol");
  assert.match(connections.failures[0]!.firstDetail, /--identify/);
});
