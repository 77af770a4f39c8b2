/** SQMR and reversed SQMR between our nodes and rust-libp2p. */
import assert from "node:assert/strict";
import { HoldfastNetwork } from "./holdfast_network.ts";
import { type RustEvent, RustNode, rustTest } from "./rust_node.ts";

const oneMiB = 1024 * 1024;
const sizes = [36, 37, 127, 128, 1024, 16_384, 65_536, oneMiB - 1, oneMiB];
const sqmr = ["--network-protocol", "sqmr", "--print-messages"];
const reversed = ["--network-protocol", "reversed-sqmr", "--print-messages"];
const connected = ({ event }: { event: string }) => event === "connected";

const answered = (queries: number) => ({ event, count }: RustEvent) =>
  event === "answered" && count === queries;

const allOnce = (messages: number) => ({
  unique: messages,
  min: 0,
  max: messages - 1,
  duplicates: 0,
  outOfOrder: 0,
});

for (const version of ["0.1.0", "1.0.0"]) {
  rustTest(`queries of version ${version} by rust-libp2p come to us, and end`, async () => {
    await using ours = await HoldfastNetwork.start("sqmr", 1, []);
    await using theirs = await RustNode.start(0, [ours.address], [
      ...sqmr,
      "--query-version",
      version,
    ]);
    await theirs.until(connected, "is connected");
    for (const [index, bytes] of sizes.entries()) {
      theirs.send(bytes);
      await ours.until(() => ours.arrivals.length === index + 1, `${bytes} bytes came`);
      assert.deepEqual(ours.arrivals[index], { sender: 0, index, bytes });
    }
    await ours.until(() => ours.network.activeInbound() === 0, "every session has ended");
    await theirs.until(answered(sizes.length), "has seen the end of every query");
    const { sent, queriesEnded, responses, errors } = await theirs.summary();
    assert.deepEqual([sent, queriesEnded, responses], [sizes.length, sizes.length, 0]);
    assert.deepEqual([errors, ours.refused], [{}, []]);
  }, 60_000);
}

for (
  const [name, args, protocol] of [
    ["that serves both versions", [], "/stress-test/1.0.0"],
    ["that serves Apollo's version alone", ["--serve-versions", "0.1.0"], "/stress-test/0.1.0"],
    ["with three responses of 1 MiB each", [
      ...["--responses", "3", "--response-size-bytes", `${oneMiB}`],
    ], "/stress-test/1.0.0"],
    ["with an empty response", [
      ...["--responses", "1", "--response-size-bytes", "0"],
    ], "/stress-test/1.0.0"],
  ] as const
) {
  rustTest(`our queries come to rust-libp2p ${name}, and end`, async () => {
    await using theirs = await RustNode.start(0, [], [...sqmr, ...args]);
    await using ours = await HoldfastNetwork.start("sqmr", 1, [theirs.address]);
    await ours.until(() => ours.network.reachablePeers() === 1, "it is connected");
    for (const bytes of sizes) ours.send(bytes);
    await ours.until(() => ours.sent === sizes.length, "all were sent");
    await ours.until(() => ours.network.activeOutbound() === 0, "every session has ended");
    for (const [index, bytes] of sizes.entries()) {
      const message = await theirs.until(
        (event) => event.event === "message" && event.index === index,
        `got ${bytes} bytes`,
      );
      assert.deepEqual([message.sender, message.bytes], [1, bytes]);
    }
    for (const stream of theirs.named("stream")) assert.equal(stream.protocol, protocol);
    const { senders, malformed, errors } = await theirs.summary();
    const { duplicates, unique } = senders["1"]!;
    assert.deepEqual([unique, duplicates, malformed, errors], [sizes.length, 0, 0, {}]);
    assert.deepEqual([ours.dropped, ours.network.queued()], [[], 0]);
  }, 60_000);
}

rustTest("a response of rust-libp2p beyond 1 MiB ends its session alone", async () => {
  const tooLong = ["--responses", "1", "--response-size-bytes", `${oneMiB + 1}`];
  await using theirs = await RustNode.start(0, [], [...sqmr, ...tooLong]);
  await using ours = await HoldfastNetwork.start("sqmr", 1, [theirs.address]);
  await ours.until(() => ours.network.reachablePeers() === 1, "it is connected");
  for (let index = 0; index < 3; index++) {
    ours.send(1024);
    await theirs.until(
      (event) => event.event === "message" && event.index === index,
      "got the message",
    );
    await ours.until(() => ours.network.activeOutbound() === 0, "the session has ended");
  }
  const { senders } = await theirs.summary();
  assert.deepEqual(senders["1"], allOnce(3));
  assert.equal(theirs.named("disconnected").length, 0);
}, 30_000);

rustTest("hundreds of queries a second go both ways", async () => {
  // rust-libp2p ends a connection of its own where 512 of its streams wait for us: no faster.
  const args = ["--rate", "300", "--duration-seconds", "2"];
  await using theirs = await RustNode.start(0, [], [...sqmr, ...args]);
  await using ours = await HoldfastNetwork.start("sqmr", 1, [theirs.address]);
  await ours.until(() => ours.network.reachablePeers() === 1, "it is connected");
  const messages = 600;
  theirs.go();
  for (let sent = 0; sent < messages; sent += 30) {
    for (let more = 0; more < 30; more++) ours.send(1024);
    await Bun.sleep(100);
  }
  await ours.until(() => ours.sent === messages, "all were sent");
  await theirs.until(({ event }) => event === "done", "has sent all");
  await ours.until(() => ours.arrivals.length === messages, "all of theirs came");
  await ours.until(() => ours.network.activeOutbound() === 0, "every session has ended");
  await theirs.until(answered(messages), "has seen the end of every query");
  assert.equal(new Set(ours.indicesFrom(0)).size, messages);
  assert.deepEqual(theirs.named("broken"), []);
  const { senders, sent, queriesEnded, errors } = await theirs.summary();
  const { unique, duplicates } = senders["1"]!;
  assert.deepEqual([unique, duplicates], [messages, 0]);
  assert.deepEqual([sent, queriesEnded, errors], [messages, messages, {}]);
  assert.deepEqual(ours.dropped, []);
}, 60_000);

for (const version of ["0.1.0", "1.0.0"]) {
  rustTest(`reversed SQMR ${version}: each side pushes to the other's open query`, async () => {
    await using theirs = await RustNode.start(0, [], [...reversed, "--query-version", version]);
    await using ours = await HoldfastNetwork.start("reversed-sqmr", 1, [theirs.address]);
    await theirs.until(({ event }) => event === "queried", "was given our query");
    await ours.until(() => ours.network.reachablePeers() === 1, "it was given their query");
    for (const [index, bytes] of sizes.entries()) {
      ours.send(bytes);
      theirs.send(bytes);
      await ours.until(() => ours.arrivals.length === index + 1, `${bytes} bytes came`);
      assert.deepEqual(ours.arrivals[index], { sender: 0, index, bytes });
    }
    for (let more = 0; more < 300; more++) {
      ours.send(1024);
      theirs.send(1024);
    }
    const messages = sizes.length + 300;
    await ours.until(() => ours.arrivals.length === messages, "all of theirs came");
    await ours.until(() => ours.sent === messages, "all were sent");
    await theirs.until(({ index }) => index === messages - 1, "got all of ours");
    const { senders, errors, malformed, responses } = await theirs.summary();
    assert.deepEqual(senders["1"], allOnce(messages));
    assert.deepEqual([errors, malformed, responses], [{}, 0, messages]);
    assert.deepEqual(ours.indicesFrom(0), Array.from({ length: messages }, (_, index) => index));
  }, 60_000);
}

rustTest(
  "reversed SQMR goes on with a node by rust-libp2p that was killed and restarted",
  async () => {
    await using ours = await HoldfastNetwork.start("reversed-sqmr", 1, []);
    await using first = await RustNode.start(0, [ours.address], reversed);
    await ours.until(() => ours.network.reachablePeers() === 1, "it was given their query");
    await first.until(({ event }) => event === "queried", "was given our query");
    ours.send(1024);
    await first.until(({ event }) => event === "message", "got the message");
    first.kill();
    await ours.until(() => ours.network.reachablePeers() === 0, "it has noticed the end");
    await using second = await RustNode.start(0, [ours.address], reversed);
    await ours.until(() => ours.network.reachablePeers() === 1, "it was given the new query");
    await second.until(({ event }) => event === "queried", "was given our query again");
    ours.send(1024);
    second.send(1024);
    const { index } = await second.until(({ event }) => event === "message", "got the message");
    assert.equal(index, 1);
    await ours.until(() => ours.arrivals.length === 1, "theirs came");
    assert.deepEqual((await second.summary()).errors, {});
  },
  60_000,
);
