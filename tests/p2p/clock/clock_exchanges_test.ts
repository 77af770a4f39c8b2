import { test } from "bun:test";
import assert from "node:assert/strict";
import { ClockExchanges } from "../../../lib/p2p/clock/clock_exchanges.ts";
import { clockProtocol, encodeAnswer } from "../../../lib/p2p/clock/clock_frames.ts";
import type { Host } from "../../../lib/p2p/network/host.ts";
import type { Connection } from "../../../lib/p2p/network/libp2p_types.ts";
import { WallClock } from "../../../lib/p2p/wall_clock.ts";
import { connectionOf, Heard, until, withPeers } from "../sqmr/peers.ts";

/** A clock that is ahead of the system's; its origin is another one, as every node has its own. */
function clockAhead(bySeconds: number): WallClock {
  const originSeconds = 1_790_000_000 + Math.floor(1_000 * Math.random());
  return new WallClock(
    originSeconds,
    (origin) =>
      (performance.timeOrigin + performance.now() - origin * 1_000 + bySeconds * 1_000) * 1e6,
  );
}

/** How far one clock is ahead of another in truth, in nanoseconds. */
function aheadNs(one: WallClock, other: WallClock): number {
  return (one.originSeconds - other.originSeconds) * 1e9 + (one.nowNs() - other.nowNs());
}

/** The estimate of a peer's clock must contain the truth; 2 µs for reading one after the other. */
function assertContains(host: Host, peer: number, trueNs: number): number {
  const estimate = host.clockOffsets().find((each) => each.peer === peer);
  assert.ok(estimate !== undefined, `no estimate of ${peer}`);
  const errorNs = Math.abs(estimate.offsetNs - trueNs);
  assert.ok(
    errorNs <= estimate.boundNs + 2_000,
    `node ${peer}: ${estimate.offsetNs} ± ${estimate.boundNs} ns, in truth ${trueNs} ns`,
  );
  return estimate.boundNs;
}

withPeers(
  "ClockExchanges estimate clocks that are ahead and behind, from both ends",
  async (started) => {
    const clocks = [0, 3, -0.05].map(clockAhead);
    const hosts: Host[] = [];
    for (const [id, wallClock] of clocks.entries()) {
      const addresses = hosts.flatMap((host) => host.addresses);
      hosts.push(await started.peer(id, addresses, {}, { wallClock }));
    }
    await until("all estimates", () => hosts.every((host) => host.clockOffsets().length === 2));
    for (let look = 0; look < 30; look++) {
      for (const [id, host] of hosts.entries()) {
        for (const [peer, clock] of clocks.entries()) {
          const own = clocks[id];
          if (peer === id || own === undefined) continue;
          const boundNs = assertContains(host, peer, aheadNs(clock, own));
          assert.ok(boundNs > 0 && boundNs < 1e9, `${boundNs} ns`);
        }
      }
      await Bun.sleep(10);
    }
    // What is gone is not known any more.
    await hosts[2]?.stop();
    await until("one estimate", () => hosts[0]?.clockOffsets().length === 1);
  },
);

/** Passes TCP on, later in one direction than in the other. */
function delayingProxy(port: number, towardsMs: number, backMs: number) {
  interface Side {
    peer?: Bun.Socket<Side>;
    waiting: Buffer[];
    delayMs: number;
  }
  const pass = (socket: Bun.Socket<Side>, bytes: Buffer) => {
    const { delayMs } = socket.data;
    const copy = Buffer.from(bytes);
    setTimeout(() => {
      if (socket.data.peer === undefined) socket.data.waiting.push(copy);
      else socket.data.peer.write(copy);
    }, delayMs);
  };
  const close = (socket: Bun.Socket<Side>) => {
    socket.data.peer?.end();
  };
  return Bun.listen<Side>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: async (incoming) => {
        incoming.data = { waiting: [], delayMs: towardsMs };
        const outgoing = await Bun.connect<Side>({
          hostname: "127.0.0.1",
          port,
          data: { peer: incoming, waiting: [], delayMs: backMs },
          socket: { data: pass, close },
        });
        incoming.data.peer = outgoing;
        for (const bytes of incoming.data.waiting.splice(0)) outgoing.write(bytes);
      },
      data: pass,
      close,
    },
  });
}

withPeers(
  "ClockExchanges are right where one way takes far longer than the other",
  async (started) => {
    const [ours, theirs] = [clockAhead(0), clockAhead(-0.05)];
    const server = await started.peer(1, [], {}, { wallClock: theirs });
    const port = Number(/tcp\/(\d+)/.exec(server.addresses[0] ?? "")?.[1]);
    const proxy = delayingProxy(port, 40, 0);
    started.also(async () => await Promise.resolve(proxy.stop(true)));
    const address = `/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${server.peerId}`;
    const client = await started.peer(0, [address], {}, { wallClock: ours });
    await until(
      "estimates",
      () => [client, server].every((host) => host.clockOffsets().length === 1),
    );
    await Bun.sleep(200);
    // All of the delay is on one way, so the estimate is off by half of it, and the bound says so.
    const clientBoundNs = assertContains(client, 1, aheadNs(theirs, ours));
    const serverBoundNs = assertContains(server, 0, aheadNs(ours, theirs));
    for (const boundNs of [clientBoundNs, serverBoundNs]) {
      assert.ok(boundNs >= 19e6, `${boundNs} ns`);
    }
  },
);

withPeers("a peer that does not tell its time has no estimate", async (started) => {
  const mute = await started.peer(1, []);
  await mute.libp2p.unhandle(clockProtocol);
  const other = await started.peer(2, []);
  const host = await started.peer(0, [...mute.addresses, ...other.addresses]);
  await until("the other's", () => host.clockOffsets().length === 1);
  await Bun.sleep(50);
  assert.deepEqual(host.clockOffsets().map(({ peer }) => peer), [2]);
  assert.equal(host.connectedPeers(), 2);
});

withPeers("ClockExchanges live through malformed answers and questions", async (started) => {
  // A peer whose answers are to other questions, cut, or no answers at all.
  const liar = await started.peer(1, []);
  await liar.libp2p.unhandle(clockProtocol);
  const replies = ["ff".repeat(20), "00".repeat(21), "00000001"];
  let session = 0;
  await liar.handle([clockProtocol], async (stream) => {
    stream.send(Buffer.from(replies[session++ % replies.length] ?? "", "hex"));
    await stream.close();
  });
  const host = await started.peer(0, liar.addresses);
  await until("the sessions", () => session >= 2);
  assert.deepEqual(host.clockOffsets(), []);
  assert.equal(host.connectedPeers(), 1);

  // Questions in pieces are answered; half a question is not, and ends with its stream.
  const connection = await connectionOf(liar);
  const stream = await connection.newStream(clockProtocol);
  const heard = new Heard(stream);
  for (const piece of ["0102", "0304aa", "bbccdd", "ff"]) {
    stream.send(Buffer.from(piece, "hex"));
    await Bun.sleep(5);
  }
  await stream.close();
  await until("the end", () => heard.ended);
  assert.equal(heard.bytes.length, 40);
  assert.equal(heard.bytes.readUInt32BE(0), 0x01020304);
  assert.equal(heard.bytes.readUInt32BE(20), 0xaabbccdd);
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  for (const at of [4, 12, 24, 32]) {
    const differenceMs = Number(heard.bytes.readBigUInt64BE(at) - nowNs) / 1e6;
    assert.ok(Math.abs(differenceMs) < 60_000, `${differenceMs} ms`);
  }
  assert.ok(heard.bytes.readBigUInt64BE(12) >= heard.bytes.readBigUInt64BE(4));
  assert.equal(connection.status, "open");
});

/** A stream whose other end answers at once, and how often it was asked. */
class AnsweringStream extends EventTarget {
  readonly status = "open";
  readonly readStatus = "readable";
  readonly remoteWriteStatus = "writable";
  readonly readBufferLength = 0;
  asked = 0;

  onData(): void {}
  abort(): void {}
  send(request: Uint8Array): void {
    this.asked++;
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const data = encodeAnswer(new DataView(request.buffer).getUint32(0), nowNs, nowNs);
    queueMicrotask(() => this.dispatchEvent(Object.assign(new Event("message"), { data })));
  }
}

test("inspected() asks each of few peers once a second, and many of them less often", async () => {
  const clocks = new ClockExchanges(clockAhead(0));
  const connectionTo = (peer: number, stream?: AnsweringStream) => ({
    remotePeer: { toString: () => `peer ${peer}` },
    newStream: () => stream ?? new Promise(() => {}),
  } as unknown as Connection);
  try {
    const stream = new AnsweringStream();
    const connection = connectionTo(0, stream);
    clocks.settled(connection, 0);
    await until("the first exchanges", () => stream.asked === 8);
    const askedInThreeLooks = async () => {
      const before = stream.asked;
      for (let look = 0; look < 3; look++) {
        await Bun.sleep(1_000);
        clocks.inspected(connection);
      }
      return stream.asked - before;
    };
    assert.equal(await askedInThreeLooks(), 3);
    for (let peer = 1; peer < 20; peer++) clocks.settled(connectionTo(peer), peer);
    // Five a second of 20 peers: every 4 s.
    assert.equal(await askedInThreeLooks(), 0);
    assert.equal(await askedInThreeLooks(), 1);
  } finally {
    clocks.stop();
  }
}, 30_000);
