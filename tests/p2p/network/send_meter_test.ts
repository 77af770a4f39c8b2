import { test } from "bun:test";
import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { freePorts } from "../../../lib/p2p/local/free_ports.ts";
import { createHost, type Host } from "../../../lib/p2p/network/host.ts";
import type { Stream } from "../../../lib/p2p/network/libp2p_types.ts";
import type { NetworkHandlers } from "../../../lib/p2p/network/network.ts";
import { SendMeter } from "../../../lib/p2p/network/send_meter.ts";
import { writesOf } from "../../../lib/p2p/network/write_joiner.ts";
import { gossipNodes, until } from "./gossip_nodes.ts";

const protocol = "/holdfast-test/1";
const handlers: NetworkHandlers = {
  received() {},
  dropped() {},
  sent() {},
  event() {},
  roundTrip() {},
};

/** Between two hosts, and reads nothing while it is held. */
class Proxy implements Disposable {
  readonly sockets: Socket[] = [];
  private readonly server = createServer((near) => {
    const far = connect(this.to, "127.0.0.1");
    this.sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => {});
    near.pipe(far).pipe(near);
  });

  constructor(readonly port: number, private readonly to: number) {
    this.server.listen(port, "127.0.0.1");
  }

  hold(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  release(): void {
    for (let at = 0; at < this.sockets.length; at += 2) {
      this.sockets[at]!.pipe(this.sockets[at + 1]!).pipe(this.sockets[at]!);
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

/** Two connected hosts, one of which has opened streams to the other. */
async function withStreams(
  count: number,
  body: (streams: readonly Stream[], proxy: Proxy, readBytes: () => number) => Promise<void>,
  closesAtOnce = false,
): Promise<void> {
  const [near, far] = gossipNodes(2);
  const [port = 0] = freePorts(1, "127.0.0.1");
  using proxy = new Proxy(port, far!.settings.listenPort);
  const hosts: Host[] = [];
  let readBytes = 0;
  try {
    const server = await createHost({ ...far!.settings, bootstrap: [] }, handlers, {
      serves: {
        protocols: [protocol],
        handler: async (stream) => {
          if (closesAtOnce) void stream.close();
          for await (const bytes of stream) readBytes += bytes.byteLength;
        },
      },
    });
    hosts.push(server);
    const bootstrap = [`/ip4/127.0.0.1/tcp/${port}`];
    const client = await createHost({ ...near!.settings, bootstrap }, handlers);
    hosts.push(client);
    client.dial();
    await until("a connection", () => client.connectedPeers() === 1);
    const connection = client.connectionOf(server.libp2p.peerId)!;
    const opening = Array.from(
      { length: count },
      () => connection.newStream(protocol, { maxOutboundStreams: count }),
    );
    const streams = await Promise.all(opening);
    const writes = writesOf(streams[0]!)!;
    await until("nothing waits", () => writes.taken === writes.given);
    await body(streams, proxy, () => readBytes);
  } finally {
    await Promise.all(hosts.map((host) => host.stop()));
  }
}

test("SendMeter.afterAll() waits for the write at the end of the turn", async () => {
  await withStreams(1, async ([stream], _proxy, readBytes) => {
    const done: [number, boolean][] = [];
    const meter = new SendMeter<number>(stream!, (item, isHandedOn) => {
      done.push([item, isHandedOn]);
    });
    assert.equal(meter.afterAll(0), false);
    const sent = readBytes();
    stream!.send(new Uint8Array(100));
    // The stream has passed it on, and nothing has left the process yet.
    assert.equal(stream!.writeBufferLength, 0);
    assert.equal(meter.afterAll(1), true);
    assert.deepEqual(done, []);
    await until("it has left", () => done.length === 1);
    assert.deepEqual(done, [[1, true]]);
    const writes = writesOf(stream!)!;
    // Pings and the like go by the same connection.
    while (writes.taken !== writes.given) await Bun.sleep(1);
    assert.equal(meter.afterAll(2), false);
    await until("it was read", () => readBytes() === sent + 100);
  });
}, 40_000);

test("SendMeter.afterAll() waits for a socket that is full", async () => {
  // The first window of each stream takes all that is written to it; together they are more than
  // the buffers of the kernel on both sides hold.
  const bytes = new Uint8Array(240 * 1024);
  await withStreams(80, async (streams, proxy, readBytes) => {
    proxy.hold();
    const done: boolean[] = [];
    const meters = streams.map((stream) =>
      new SendMeter<number>(stream, (_, isHandedOn) => void done.push(isHandedOn))
    );
    const writes = writesOf(streams[0]!)!;
    const before = writes.given;
    for (const [index, stream] of streams.entries()) {
      stream.send(bytes);
      // As long as the kernel takes all at once, nothing waits.
      if (!meters[index]!.afterAll(index)) done.push(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the socket is full", () => streams.at(-1)!.writableNeedsDrain);
    // Those that the kernel has taken whole, and no others.
    const takenBytes = writes.taken - before;
    assert.ok(done.length * bytes.byteLength <= takenBytes, `${done.length}, ${takenBytes} bytes`);
    assert.ok(done.length < streams.length, `${done.length} are said to have left`);
    assert.ok(writes.taken < writes.given);
    proxy.release();
    await until("all has left", () => done.length === streams.length);
    assert.ok(done.every((isHandedOn) => isHandedOn));
    await until("nothing waits", () => writes.taken === writes.given);
    await until("all was read", () => readBytes() === streams.length * bytes.byteLength);
  });
}, 40_000);

test("SendMeter.afterAll() gives up what waits when the connection ends", async () => {
  const bytes = new Uint8Array(240 * 1024);
  await withStreams(80, async (streams, proxy) => {
    proxy.hold();
    const done: boolean[] = [];
    for (const [index, stream] of streams.entries()) {
      const meter = new SendMeter<number>(stream, (_, isHandedOn) => void done.push(isHandedOn));
      stream.send(bytes);
      if (!meter.afterAll(index)) done.push(true);
    }
    await until("the socket is full", () => streams.at(-1)!.writableNeedsDrain);
    proxy[Symbol.dispose]();
    await until("all is done with", () => done.length === streams.length);
    assert.ok(done.includes(false));
  });
}, 40_000);

test(
  "SendMeter.afterAll() waits for the connection where the stream is closed before that",
  async () => {
    await withStreams(1, async ([stream], _proxy, readBytes) => {
      const done: [number, boolean][] = [];
      const meter = new SendMeter<number>(stream!, (item, isHandedOn) => {
        done.push([item, isHandedOn]);
      });
      await until("the peer has nothing to say", () => stream!.remoteWriteStatus === "closed");
      const sent = readBytes();
      stream!.send(new Uint8Array(100));
      assert.equal(meter.afterAll(1), true);
      await stream!.close();
      await until("it is done with", () => done.length === 1);
      await until("it was read", () => readBytes() === sent + 100);
      assert.deepEqual([stream!.status, done], ["closed", [[1, true]]]);
    }, true);
  },
  40_000,
);
