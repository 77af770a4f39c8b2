import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { gossipsubProtocols } from "../../../lib/p2p/network/gossipsub.ts";
import { createHost, type Host } from "../../../lib/p2p/network/host.ts";
import type { Connection, Stream } from "../../../lib/p2p/network/libp2p_types.ts";
import { pingProtocol } from "../../../lib/p2p/network/ping.ts";
import {
  fullMesh,
  type GossipNode,
  gossipNodes,
  hostOf,
  until,
  withNodes,
} from "./gossip_nodes.ts";

const identifyProtocol = "/ipfs/id/1.0.0";
const multistream = Buffer.from("\x13/multistream/1.0.0\n");

/** A message still goes from one to the other: both live. */
async function stillWorks(nodes: readonly GossipNode[], what: string): Promise<void> {
  const [one, two] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  await fullMesh(nodes);
  await goes(one, two, `after ${what}`);
}

/** A message arrives. */
async function goes(from: GossipNode, to: GossipNode, text: string): Promise<void> {
  assert.equal(from.network.publish(Buffer.from(text), 1), undefined);
  await until(text, () => to.received.get(text) === 1, 5_000);
}

async function twoNodes(body: (nodes: readonly GossipNode[]) => Promise<void>): Promise<void> {
  const nodes = gossipNodes(2);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    await body(nodes);
  });
}

/** A stranger that is connected to a node, and speaks whatever it likes. */
async function withStranger(
  node: GossipNode,
  body: (host: Host, connect: () => Promise<Connection>) => Promise<void>,
): Promise<void> {
  const ignored = () => {};
  const host = await createHost(
    { ...node.settings, nodeId: 77, listenPort: 0 },
    {
      ...{ received: ignored, dropped: ignored, sent: ignored, event: ignored },
      roundTrip: ignored,
    },
  );
  try {
    host.dial();
    const connect = async () => {
      let connection: Connection | undefined;
      await until("a connection of the stranger", () => {
        for (const each of host.connections()) {
          const port = `/tcp/${node.settings.listenPort}`;
          if (each.status === "open" && each.remoteAddr.toString().includes(port)) {
            connection = each;
          }
        }
        return connection !== undefined;
      });
      assert.ok(connection !== undefined);
      return connection;
    };
    await body(host, connect);
  } finally {
    await host.stop();
  }
}

/**
 * Sends on a stream of its own. Of identify there may be one at a time, and the library opens its
 * own: where it is refused, it is tried again.
 */
async function sendOn(
  connection: Connection,
  protocol: string,
  bytes: Uint8Array,
): Promise<Stream> {
  for (let tries = 0;; tries++) {
    try {
      const stream = await connection.newStream(protocol);
      stream.send(bytes);
      return stream;
    } catch (error) {
      if (tries === 200) throw error;
      await Bun.sleep(10);
    }
  }
}

function nonsense(seed: number): Uint8Array {
  return randomBytes([1, 2, 12, 13, 64, 500, 5_000, 70_000][seed % 8] ?? 1);
}

test("bytes that are no handshake end their connection only", async () => {
  await twoNodes(async (nodes) => {
    const port = nodes[0]?.settings.listenPort ?? 0;
    const noise = Buffer.from("\x07/noise\n");
    const openings = [Buffer.alloc(0), multistream, Buffer.concat([multistream, noise])];
    let closed = 0;
    const all: Promise<void>[] = [];
    for (const opening of openings) {
      for (let seed = 0; seed < 8; seed++) {
        const { promise, resolve } = Promise.withResolvers<void>();
        all.push(promise);
        await Bun.connect({
          hostname: "127.0.0.1",
          port,
          socket: {
            open(socket) {
              socket.write(Buffer.concat([opening, nonsense(seed)]));
              // What is cut off is ended here; what is nonsense, there.
              setTimeout(() => socket.end(), 200);
            },
            data() {},
            close() {
              closed++;
              resolve();
            },
            error() {},
          },
        });
      }
    }
    await Promise.all(all);
    assert.equal(closed, openings.length * 8);
    await stillWorks(nodes, "nonsense before noise");
  });
}, 60_000);

test("nonsense inside noise ends its connection only", async () => {
  await twoNodes(async (nodes) => {
    const [target] = nodes;
    assert.ok(target !== undefined);
    await withStranger(target, async (_host, connect) => {
      for (let seed = 0; seed < 8; seed++) {
        const connection = await connect();
        const { muxer } = connection as unknown as {
          readonly muxer: { readonly maConn: { send(bytes: Uint8Array): boolean } };
        };
        // No version of yamux starts so.
        const bytes = Uint8Array.from([0x99, ...nonsense(seed), ...randomBytes(12)]);
        muxer.maConn.send(bytes);
        await until("the connection's end", () => connection.status !== "open");
      }
    });
    await stillWorks(nodes, "nonsense inside noise");
  });
}, 60_000);

for (const protocol of [...gossipsubProtocols.slice(0, 1), pingProtocol, identifyProtocol]) {
  test(`nonsense on a stream of ${protocol} ends that stream at most`, async () => {
    await twoNodes(async (nodes) => {
      const [target] = nodes;
      assert.ok(target !== undefined);
      await withStranger(target, async (_host, connect) => {
        const connection = await connect();
        for (let seed = 0; seed < 16; seed++) {
          const stream = await sendOn(connection, protocol, nonsense(seed));
          if (seed % 2 === 0) await stream.close().catch(() => {});
          stream.abort(new Error("cut off"));
        }
        assert.equal(connection.status, "open", "the connection outlives its streams");
      });
      await stillWorks(nodes, `nonsense on ${protocol}`);
    });
  }, 60_000);
}

test("frames of gossipsub that are cut off, changed or too long are counted", async () => {
  await twoNodes(async (nodes) => {
    const [target] = nodes;
    assert.ok(target !== undefined);
    await withStranger(target, async (_host, connect) => {
      const connection = await connect();
      const malformed = [
        // A frame of 2 GiB.
        Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07),
        // A length that never ends.
        new Uint8Array(20).fill(0xff),
        // A field of five bytes of which two are there.
        Uint8Array.of(4, 0x12, 5, 1, 2),
        // A message whose field is a number.
        Uint8Array.of(4, 0x12, 2, 0x08, 1),
        // A group, which protobuf has given up.
        Uint8Array.of(2, 0x13, 0x14),
      ];
      for (const [index, bytes] of malformed.entries()) {
        const stream = await connection.newStream(gossipsubProtocols[0] ?? "");
        stream.send(bytes);
        await until(
          `malformed frame ${index} counted`,
          () => target.network.invalidMessages() === index + 1,
        );
        // The library passes over what is merely no RPC, and reads on.
        const readsOn = index >= 2;
        if (!readsOn) await until("the end", () => stream.remoteWriteStatus === "closed");
        await stream.close();
      }
      assert.equal(connection.status, "open");
    });
    await stillWorks(nodes, "malformed frames");
  });
}, 60_000);

test("a peer whose frame was malformed gets and sends messages again", async () => {
  await twoNodes(async (nodes) => {
    const [target, sender] = nodes;
    assert.ok(target !== undefined && sender !== undefined);
    const outgoing = () => {
      const [connection] = hostOf(sender).connections();
      return connection?.streams.find(({ direction, protocol }) =>
        direction === "outbound" && gossipsubProtocols.includes(protocol)
      );
    };
    let last: Stream | undefined;
    for (let frames = 1; frames <= 5; frames++) {
      await until("another stream", () => ![undefined, last].includes(outgoing()), 5_000);
      last = outgoing();
      // A frame of 2 GiB.
      last?.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07));
      await until("the refusal", () => target.network.invalidMessages() === frames, 5_000);
      await until("the stream's end", () => last?.status !== "open", 5_000);
      await fullMesh(nodes);
      await goes(sender, target, `from it after ${frames} malformed frames`);
      await goes(target, sender, `to it after ${frames} malformed frames`);
    }
    assert.deepEqual([target.dropped, sender.dropped], [[], []]);
  });
}, 60_000);
