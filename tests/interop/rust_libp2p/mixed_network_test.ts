/** Two nodes by rust-libp2p and two of ours in one network. */
import assert from "node:assert/strict";
import { peerIdOf } from "../../../lib/p2p/identity.ts";
import { freePort } from "../program.ts";
import { HoldfastNetwork } from "./holdfast_network.ts";
import { RustNode, rustTest } from "./rust_node.ts";

const rustIds = [0, 1];
const ourIds = [2, 3];
const allIds = [...rustIds, ...ourIds];

interface Place {
  readonly port: number;
  readonly address: string;
}

/** Where each node will be, before any of them is there. */
async function choosePlaces(): Promise<Place[]> {
  const ports = new Set<number>();
  while (ports.size < allIds.length) ports.add(await freePort());
  return await Promise.all([...ports].map(async (port, id) => ({
    port,
    address: `/ip4/127.0.0.1/tcp/${port}/p2p/${await peerIdOf(id)}`,
  })));
}

function startRust(id: number, places: readonly Place[], args: readonly string[] = []) {
  const addresses = places.map(({ address }) => address);
  return RustNode.start(id, addresses, ["--p2p-port", `${places[id]!.port}`, ...args]);
}

function startOurs(id: number, places: readonly Place[]) {
  const addresses = places.map(({ address }) => address);
  return HoldfastNetwork.start("gossipsub", id, addresses, { listenPort: places[id]!.port });
}

/** Everyone can reach everyone. */
async function fullMesh(rust: readonly RustNode[], ours: readonly HoldfastNetwork[]) {
  for (const node of ours) {
    await node.until(() => node.network.reachablePeers() === 3, "all were subscribed");
  }
  for (const node of rust) {
    await node.until(() => subscribers(node).size === 3, "was told of all subscriptions");
  }
}

/**
 * Errors without that of a connection which gave way to another one that was dialled at the same
 * time: its first ping ends before it is negotiated, which rust-libp2p takes for a refusal.
 */
function lasting(errors: Readonly<Record<string, number>>): string[] {
  return Object.keys(errors).filter((text) => text !== "ping: Ping protocol not supported");
}

/** Those that are subscribed now. */
function subscribers(node: RustNode): Set<string> {
  const now = new Set<string>();
  for (const { event, peer } of node.events) {
    if (event === "subscribed") now.add(peer!);
    if (event === "disconnected" || event === "unsubscribed") now.delete(peer!);
  }
  return now;
}

for (let round = 1; round <= 3; round++) {
  rustTest(`all start at once and get each message once, time ${round}`, async () => {
    const places = await choosePlaces();
    const messages = 200;
    const starts = await Promise.all([
      ...rustIds.map((id) => startRust(id, places, ["--rate", "200", "--duration-seconds", "1"])),
      ...ourIds.map((id) => startOurs(id, places)),
    ]);
    await using stack = new AsyncDisposableStack();
    for (const node of starts) stack.use(node);
    const rust = starts.filter((node) => node instanceof RustNode);
    const ours = starts.filter((node) => node instanceof HoldfastNetwork);
    await fullMesh(rust, ours);
    for (const node of rust) node.go();
    for (let sent = 0; sent < messages; sent += 10) {
      for (const node of ours) for (let more = 0; more < 10; more++) node.send(2048);
      await Bun.sleep(50);
    }
    for (const node of rust) await node.until(({ event }) => event === "done", "has sent all");
    for (const node of ours) {
      await node.until(() => node.arrivals.length >= 3 * messages, "all came");
      // A peer that reads slowly is nobody that the others wait for.
      await node.until(() => node.sent >= messages, "all has been handed on");
    }
    // Time in which something could come twice.
    await Bun.sleep(300);
    const expected = Array.from({ length: messages }, (_, index) => index);
    for (const node of ours) {
      for (const sender of allIds.filter((id) => id !== node.nodeId)) {
        assert.deepEqual(node.indicesFrom(sender).sort((a, b) => a - b), expected);
      }
      assert.equal(node.arrivals.length, 3 * messages);
      assert.deepEqual([node.sent, node.dropped, node.refused], [messages, [], []]);
      assert.equal(node.network.connectedPeers(), 3);
    }
    for (const node of rust) {
      const { id, senders, sent, dropped, errors, gossipsub } = await node.summary();
      assert.deepEqual([sent, dropped, lasting(errors)], [messages, {}, []]);
      for (const sender of allIds.filter((each) => each !== id)) {
        const { unique, duplicates, min, max } = senders[sender]!;
        assert.deepEqual([unique, duplicates, min, max], [messages, 0, 0, messages - 1]);
      }
      assert.deepEqual([gossipsub.received, gossipsub.invalid], [3 * messages, 0]);
    }
  }, 60_000);
}

rustTest("a node by rust-libp2p is killed and restarted, then one of ours", async () => {
  const places = await choosePlaces();
  await using first = await startRust(0, places);
  await using other = await startRust(1, places, ["--print-messages"]);
  await using ours = await startOurs(2, places);
  await using fourth = await startOurs(3, places);
  await fullMesh([first, other], [ours, fourth]);
  first.send(1024);
  await ours.until(() => ours.arrivals.length === 1, "the first message came");
  first.kill();
  await ours.until(() => ours.network.reachablePeers() === 2, "it has noticed the end");
  ours.send(1024);
  await other.until(({ event, sender }) => event === "message" && sender === 2, "got a message");

  await using again = await startRust(0, places, ["--print-messages"]);
  await fullMesh([again, other], [ours, fourth]);
  again.send(1024);
  ours.send(1024);
  await ours.until(() => ours.indicesFrom(0).length === 2, "a message of the new one came");
  await fourth.until(() => fourth.indicesFrom(0).length === 2, "a message of the new one came");
  await again.until(({ sender, index }) => sender === 2 && index === 1, "got a message");

  await fourth.network.stop();
  await other.until(() => subscribers(other).size === 2, "has noticed the end of ours");
  await using fourthAgain = await startOurs(3, places);
  await fullMesh([again, other], [ours, fourthAgain]);
  fourthAgain.send(1024);
  await again.until(({ event, sender }) => event === "message" && sender === 3, "got a message");
  again.send(1024);
  await fourthAgain.until(() => fourthAgain.indicesFrom(0).length === 1, "a message came");
  const { senders, errors } = await again.summary();
  assert.deepEqual([senders["3"]?.unique, senders["3"]?.duplicates], [1, 0]);
  assert.deepEqual(lasting(errors), []);
}, 60_000);
