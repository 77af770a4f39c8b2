/** Gossipsub between our nodes and real rust-libp2p. */
import assert from "node:assert/strict";
import { HoldfastNetwork } from "./holdfast_network.ts";
import { RustNode, type RustSummary, rustTest } from "./rust_node.ts";

const subscribed = ({ event }: { event: string }) => event === "subscribed";
const gotMessage = ({ event }: { event: string }) => event === "message";
const fourMiB = 4 * 1024 * 1024;
const sizes = [36, 37, 1024, 1199, 1200, 65_536, 1024 * 1024, fourMiB - 200, fourMiB];

/** Both see each other's subscription. */
async function meet(ours: HoldfastNetwork, theirs: RustNode): Promise<void> {
  await theirs.until(subscribed, "was told of our subscription");
  await ours.until(() => ours.network.reachablePeers() >= 1, "it was told of their subscription");
}

/** All of a sender's messages came, each once. */
function assertReceived(summary: RustSummary, sender: number, messages: number): void {
  const { senders, malformed, errors, gossipsub } = summary;
  assert.deepEqual(senders[sender], {
    unique: messages,
    min: 0,
    max: messages - 1,
    duplicates: 0,
    outOfOrder: 0,
  });
  assert.deepEqual([malformed, errors, gossipsub.invalid], [0, {}, 0]);
}

for (const dialler of ["holdfast", "rust-libp2p"]) {
  rustTest(`messages of 36 B to 4 MiB pass both ways where ${dialler} dials`, async () => {
    await using first = dialler === "holdfast"
      ? await RustNode.start(0, [], ["--print-messages"])
      : undefined;
    await using ours = await HoldfastNetwork.start("gossipsub", 1, first ? [first.address] : []);
    await using second = first ??
      await RustNode.start(0, [ours.address], ["--print-messages"]);
    await meet(ours, second);
    for (const [index, bytes] of sizes.entries()) {
      ours.send(bytes);
      const event = await second.until(
        (event) => gotMessage(event) && event.index === index,
        `got ${bytes} bytes`,
      );
      assert.deepEqual([event.sender, event.bytes], [1, bytes]);
      assert.equal(event.source, ours.network.peerId);
      assert.equal(event.messageId, `${event.source}${event.sequence}`);
      second.send(bytes);
      await ours.until(() => ours.arrivals.length === index + 1, `${bytes} bytes came`);
      assert.deepEqual(ours.arrivals[index], { sender: 0, index, bytes });
    }
    const summary = await second.summary();
    assertReceived(summary, 1, sizes.length);
    assert.equal(summary.sent, sizes.length);
    // Between two nodes nothing goes twice over the wire, and nothing is asked for.
    const { sent, receivedWithDuplicates, requested } = summary.gossipsub;
    assert.deepEqual([sent, receivedWithDuplicates, requested], [sizes.length, sizes.length, 0]);
    assert.deepEqual([ours.sent, ours.dropped, ours.refused], [sizes.length, [], []]);
    assert.equal(ours.network.invalidMessages?.(), 0);
  }, 60_000);
}

rustTest("each side tells the other its protocols in identify, as Apollo's nodes do", async () => {
  await using ours = await HoldfastNetwork.start("gossipsub", 1, []);
  await using theirs = await RustNode.start(0, [ours.address]);
  const identified = await theirs.until(({ event }) => event === "identified", "identified us");
  assert.equal(identified.protocolVersion, "/staknet/identify/0.1.0-rc.0");
  for (const protocol of ["/meshsub/1.1.0", "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0"]) {
    assert.ok(identified.protocols?.includes(protocol), `${identified.protocols}`);
  }
  const ping = await theirs.until(({ event }) => event === "ping", "had its ping answered");
  assert.ok(ping.roundTripNs! > 0);
}, 30_000);

rustTest(
  "ids that rust-libp2p announces are known, and ours to it: nobody asks again",
  async () => {
    // Outside of every mesh: it is only told which messages there are, and tells others the same.
    await using theirs = await RustNode.start(0, [], ["--print-messages", "--mesh", "0"]);
    await using ours = await HoldfastNetwork.start("gossipsub", 1, [theirs.address]);
    await meet(ours, theirs);
    const rounds = 6;
    for (let round = 0; round < rounds; round++) {
      ours.send(1024);
      theirs.send(1024);
      // Announcements go out with the heartbeat of a second.
      await Bun.sleep(800);
    }
    await Bun.sleep(1_200);
    assert.deepEqual(ours.indicesFrom(0), [0, 1, 2, 3, 4, 5]);
    const summary = await theirs.summary();
    assertReceived(summary, 1, rounds);
    const { sent, receivedWithDuplicates, requested } = summary.gossipsub;
    assert.deepEqual([sent, receivedWithDuplicates, requested], [rounds, rounds, 0]);
  },
  30_000,
);

rustTest("rust-libp2p asks us for what it was told of, and gets it", async () => {
  // We dial: it lets peers that it has dialled itself into its mesh all the same.
  await using outsider = await RustNode.start(2, [], ["--print-messages", "--mesh", "0"]);
  await using ours = await HoldfastNetwork.start("gossipsub", 1, [outsider.address]);
  await using author = await RustNode.start(0, [ours.address]);
  await author.until(subscribed, "was told of our subscription");
  await outsider.until(subscribed, "was told of our subscription");
  await ours.until(() => ours.network.reachablePeers() === 2, "it was told of both subscriptions");
  // Long enough that the refusal to be in our mesh has come.
  await Bun.sleep(1_500);
  author.send(5_000);
  await outsider.until(gotMessage, "got the message");
  const summary = await outsider.summary();
  assertReceived(summary, 0, 1);
  assert.equal(summary.gossipsub.requested, 1, "it came by itself");
}, 30_000);

rustTest("we ask rust-libp2p for what it tells us of, and get it", async () => {
  await using middle = await RustNode.start(0, [], ["--mesh", "0"]);
  await using author = await HoldfastNetwork.start("gossipsub", 1, [middle.address]);
  await using reader = await HoldfastNetwork.start("gossipsub", 2, [middle.address]);
  await author.until(() => author.network.reachablePeers() === 1, "it was told of the middle one");
  await reader.until(() => reader.network.reachablePeers() === 1, "it was told of the middle one");
  await middle.until(({ event, count }) => event === "subscribed" && count === 2, "knows both");
  await Bun.sleep(1_500);
  author.send(5_000);
  await reader.until(() => reader.arrivals.length > 0, "the message came");
  assert.deepEqual(reader.arrivals, [{ sender: 1, index: 0, bytes: 5_000 }]);
  const { gossipsub } = await middle.summary();
  assert.deepEqual([gossipsub.received, gossipsub.sent], [1, 1]);
}, 30_000);

rustTest("a message of rust-libp2p without a signature is refused, and only that", async () => {
  await using ours = await HoldfastNetwork.start("gossipsub", 1, []);
  await using forger = await RustNode.start(0, [ours.address], ["--unsigned"]);
  await meet(ours, forger);
  forger.send(1024);
  await ours.until(() => ours.network.invalidMessages?.() === 1, "the message was refused");
  await using honest = await RustNode.start(2, [ours.address]);
  await honest.until(subscribed, "was told of our subscription");
  await ours.until(() => ours.network.reachablePeers() === 2, "it was told of their subscription");
  honest.send(1024);
  await ours.until(() => ours.arrivals.length > 0, "the signed message came");
  assert.deepEqual(ours.arrivals, [{ sender: 2, index: 0, bytes: 1024 }]);
  assert.equal(ours.network.connectedPeers(), 2);
}, 30_000);
