import { test } from "bun:test";
import assert from "node:assert/strict";
import { freePorts } from "../../../lib/p2p/local/free_ports.ts";
import type { NetworkEventType, NetworkProtocol } from "../../../lib/p2p/network/network.ts";
import { networkProtocols } from "../../../lib/p2p/network/network.ts";
import { startNetwork } from "../../../lib/p2p/network/start.ts";
import { gossipNodes, until } from "./gossip_nodes.ts";

/** The second connection arrives when messages are under way on the first, and for a while on both. */
const heldMs = 300;
const publishedForMs = 400;

/** A way to a port that holds what comes by it for a while. */
function slowWayTo(port: number): { readonly port: number; end(): void } {
  const ends: (() => void)[] = [];
  const listener = Bun.listen<{ pass?: (bytes: Uint8Array) => void }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(near) {
        const early: Uint8Array[] = [];
        near.data = { pass: (bytes) => void early.push(bytes.slice()) };
        await Bun.sleep(heldMs);
        const far = await Bun.connect({
          hostname: "127.0.0.1",
          port,
          socket: {
            data: (_socket, bytes) => void near.write(bytes),
            close: () => void near.end(),
          },
        });
        ends.push(() => far.terminate(), () => near.terminate());
        for (const bytes of early) far.write(bytes);
        near.data.pass = (bytes) => void far.write(bytes);
      },
      data: (near, bytes) => near.data.pass?.(bytes),
      close: () => {
        for (const end of ends) end();
      },
      error: () => {},
    },
  });
  return {
    port: listener.port,
    end: () => {
      for (const end of ends) end();
      listener.stop(true);
    },
  };
}

async function start(protocol: NetworkProtocol, nodeId: number, port: number, others: number[]) {
  const received = new Map<string, number>();
  const dropped: string[] = [];
  const events: NetworkEventType[] = [];
  const [template] = gossipNodes(1);
  assert.ok(template !== undefined);
  const network = await startNetwork({
    ...template.settings,
    ...{ protocol, nodeId, numNodes: 2, listenPort: port },
    bootstrap: others.map((other) => `/ip4/127.0.0.1/tcp/${other}`),
  }, {
    received: (message) => {
      const text = Buffer.from(message).toString();
      received.set(text, (received.get(text) ?? 0) + 1);
    },
    dropped: (reason, token) => void dropped.push(`${token}: ${reason}`),
    sent: () => {},
    event: (type) => void events.push(type),
    roundTrip: () => {},
  });
  return { network, received, dropped, events };
}

async function losesNothing(protocol: NetworkProtocol): Promise<void> {
  const [port = 0, ownPort = 0] = freePorts(2, "127.0.0.1");
  const one = await start(protocol, 0, port, []);
  const slowWay = slowWayTo(port);
  const two = await start(protocol, 1, ownPort, [port, slowWay.port]);
  const nodes = [one, two];
  try {
    await until(
      `both reach each other with ${protocol}`,
      () => nodes.every(({ network }) => network.reachablePeers() === 1),
    );
    let published = 0;
    const opened = () => two.events.filter((type) => type === "connections_established").length;
    const publishFor = async (mostMs: number, isEnough: () => boolean) => {
      const end = performance.now() + mostMs;
      while (performance.now() < end && !isEnough()) {
        for (const { network } of nodes) {
          assert.equal(network.publish(Buffer.from(`message ${published}`), published), undefined);
          published++;
        }
        await Bun.sleep(1);
      }
    };
    await publishFor(10_000, () => opened() === 2);
    await publishFor(publishedForMs, () => false);
    await until(
      `all of ${published} messages with ${protocol}`,
      () => one.received.size + two.received.size === published,
      10_000,
    );
    await until(
      `one connection with ${protocol}`,
      () => two.events.includes("connections_closed"),
      10_000,
    );
    for (const { network, received, dropped } of nodes) {
      assert.deepEqual(dropped, []);
      assert.ok([...received.values()].every((times) => times === 1), "each once");
      assert.equal(network.connectedPeers(), 1);
      assert.equal(network.reachablePeers(), 1);
    }
  } finally {
    await Promise.all(nodes.map(({ network }) => network.stop()));
    slowWay.end();
  }
}

test("a connection that gives way loses nothing, with any protocol", async () => {
  await Promise.all(networkProtocols.map(losesNothing));
}, 30_000);
