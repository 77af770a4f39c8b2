import assert from "node:assert/strict";
import { maximumMessageBytes } from "../../../lib/p2p/sqmr/framing.ts";
import { connectionOf, Heard, message, numberOf, until, withPeers } from "./peers.ts";

const protocols = ["/stress-test/1.0.0", "/stress-test/0.1.0"] as const;

withPeers("startReversedSqmr() sends each message to every receiver once", async (started) => {
  const broadcaster = await started.node("reversed-sqmr", 0, [], { broadcaster: 0 });
  const receivers = [];
  for (const id of [1, 2, 3]) {
    receivers.push(
      await started.node("reversed-sqmr", id, broadcaster.network.addresses, { broadcaster: 0 }),
    );
  }
  const { network, told } = broadcaster;
  await until("all receivers", () => network.reachablePeers() === 3);
  for (let token = 0; token < 2_000; token++) {
    assert.equal(network.publish(message(300, token), token), undefined);
    if (token % 50 === 0) await Bun.sleep(1);
  }
  await until("all sent", () => told.sentTokens.length === 2_000);
  for (const receiver of receivers) {
    await until("all received", () => receiver.told.messages.length === 2_000);
    for (const [index, bytes] of receiver.told.messages.entries()) {
      assert.deepEqual(bytes, message(300, index), "whole, and in order");
    }
    assert.equal(receiver.network.activeOutbound(), 1);
    assert.equal(receiver.network.activeInbound(), 0, "nobody asks who will not broadcast");
  }
  assert.equal(network.activeInbound(), 3);
  assert.equal(network.queued(), 0);
  assert.deepEqual(told.droppedTokens, []);
});

withPeers("startReversedSqmr() lets every node broadcast to all others", async (started) => {
  const nodes = [await started.node("reversed-sqmr", 0, [])];
  for (const id of [1, 2]) {
    const known = nodes.flatMap(({ network }) => network.addresses);
    nodes.push(await started.node("reversed-sqmr", id, known));
  }
  for (const { network } of nodes) {
    await until("both others", () => network.reachablePeers() === 2);
  }
  for (const [id, { network }] of nodes.entries()) {
    for (let k = 0; k < 100; k++) network.publish(message(64, id * 1_000 + k), k);
  }
  for (const [id, { told }] of nodes.entries()) {
    await until("all received", () => told.messages.length === 200);
    const expected = [0, 1, 2].filter((other) => other !== id)
      .flatMap((other) => Array.from({ length: 100 }, (_, k) => other * 1_000 + k));
    assert.deepEqual(told.messages.map(numberOf).toSorted((a, b) => a - b), expected);
  }
});

withPeers("startReversedSqmr() carries every size up to 1 MiB", async (started) => {
  const broadcaster = await started.node("reversed-sqmr", 0, []);
  const receiver = await started.node("reversed-sqmr", 1, broadcaster.network.addresses);
  await until("the receiver", () => broadcaster.network.reachablePeers() === 1);
  const sizes = [36, 1_200, 65_536, 300_000, maximumMessageBytes];
  for (const [token, size] of sizes.entries()) {
    assert.equal(broadcaster.network.publish(message(size, token), token), undefined);
  }
  const tooLong = new Uint8Array(maximumMessageBytes + 1);
  assert.equal(broadcaster.network.publish(tooLong, 9), "message_too_large");
  await until("all", () => receiver.told.messages.length === sizes.length);
  for (const [index, size] of sizes.entries()) {
    const received = receiver.told.messages[index] ?? new Uint8Array(0);
    assert.ok(Buffer.from(received).equals(message(size, index)), `${size} bytes`);
  }
  await until("all sent", () => broadcaster.told.sentTokens.length === sizes.length);
});

withPeers("a response is a varint length and the bytes, on both protocols", async (started) => {
  const broadcaster = await started.node("reversed-sqmr", 0, []);
  const { network, told } = broadcaster;
  const peer = await started.peer(1, network.addresses);
  const connection = await connectionOf(peer);
  assert.equal(network.publish(message(40, 0), 0), "no_peers_subscribed_to_topic");
  for (const protocol of protocols) {
    const stream = await connection.newStream(protocol);
    const heard = new Heard(stream);
    await Bun.sleep(20);
    assert.equal(network.reachablePeers(), 0, "the query has not ended");
    await stream.close();
    await until("the session", () => network.reachablePeers() === 1);
    network.publish(message(3, 1), 1);
    network.publish(message(1_024, 2), 2);
    network.publish(message(0, 3), 3);
    await until("the responses", () => heard.bytes.length === 1 + 3 + 2 + 1_024 + 1);
    const expected = Buffer.concat([
      ...[Buffer.from("03", "hex"), message(3, 1)],
      ...[Buffer.from("8008", "hex"), message(1_024, 2), Buffer.from("00", "hex")],
    ]);
    assert.ok(heard.bytes.equals(expected));
    stream.abort(new Error("the test has seen enough"));
    await until("its end", () => network.reachablePeers() === 0);
  }
  assert.equal(told.sentTokens.length, 6);
});

withPeers("a receiver sends an empty query and keeps it, on both protocols", async (started) => {
  for (const [index, protocol] of protocols.entries()) {
    const heard: Heard[] = [];
    const peer = await started.peer(1 + index, [], {
      serves: {
        protocols: [protocol],
        handler: async (stream) => {
          const query = new Heard(stream);
          heard.push(query);
          await until("the query", () => query.ended);
          stream.send(Buffer.from("02abcd", "hex"));
          await Bun.sleep(20);
          stream.send(Buffer.from("01ee", "hex"));
          if (heard.length === 1) await stream.close();
        },
      },
    });
    const { network, told } = await started.node("reversed-sqmr", 0, peer.addresses);
    // The first session ends, and another takes its place.
    await until("both sessions' responses", () => told.messages.length === 4);
    assert.deepEqual(told.messages.map((bytes) => Buffer.from(bytes).toString("hex")), [
      ...["abcd", "ee", "abcd", "ee"],
    ]);
    assert.equal(heard.length, 2);
    for (const { bytes, failure } of heard) {
      assert.deepEqual([bytes.length, failure], [0, undefined]);
    }
    assert.equal(network.activeOutbound(), 1);
    await network.stop();
  }
});

withPeers(
  "startReversedSqmr() opens its sessions again when a broadcaster restarts",
  async (started) => {
    const first = await started.node("reversed-sqmr", 0, []);
    const receiver = await started.node("reversed-sqmr", 1, first.network.addresses);
    await until("the receiver", () => first.network.reachablePeers() === 1);
    const port = Number(/tcp\/(\d+)/.exec(first.network.addresses[0] ?? "")?.[1]);
    await first.network.stop();
    await until("its end", () => receiver.network.activeOutbound() === 0);
    const second = await started.node("reversed-sqmr", 0, [], { listenPort: port });
    await until("the receiver again", () => second.network.reachablePeers() === 1);
    second.network.publish(message(50, 7), 0);
    await until("the message", () => receiver.told.messages.length === 1);
    assert.deepEqual(receiver.told.messages[0], message(50, 7));
  },
);

withPeers("a receiver that stands still costs the others nothing", async (started) => {
  const bufferSize = 200;
  const broadcaster = await started.node("reversed-sqmr", 0, [], { bufferSize });
  const { network, told } = broadcaster;
  const still = await started.peer(2, network.addresses);
  const stream = await (await connectionOf(still)).newStream(protocols[0]);
  // It takes no more than its window of 256 KiB.
  stream.pause();
  await stream.close();
  await until("its session", () => network.reachablePeers() === 1);

  // Alone, it fills the queue, and the rest is refused.
  let taken = 0;
  let reason: string | undefined;
  for (let token = 0; token < 10_000 && reason === undefined; token++) {
    reason = network.publish(message(16_384, token), token);
    if (reason === undefined) taken++;
    if (token % 10 === 0) await Bun.sleep(1);
  }
  assert.equal(reason, "all_queues_full");
  await Bun.sleep(50);
  assert.ok(network.queued() > 0 && network.queued() <= bufferSize, `${network.queued()} queued`);
  assert.equal(told.sentTokens.length + network.queued(), taken);

  // With another receiver, that one gets everything.
  const receiver = await started.node("reversed-sqmr", 1, network.addresses);
  await until("both sessions", () => network.reachablePeers() === 2);
  for (let token = 0; token < bufferSize; token++) {
    assert.equal(network.publish(message(1_024, token), 100_000 + token), undefined);
    if (token % 20 === 0) await Bun.sleep(2);
  }
  await until("all", () => receiver.told.messages.length === bufferSize);
  assert.ok(network.queued() <= bufferSize);

  // When it goes on, it gets what it was to have, in order, and then what comes.
  const heard = new Heard(stream);
  stream.resume();
  await until("nothing queued", () => network.queued() === 0);
  await until("the first ones", () => heard.bytes.length >= taken * (16_384 + 3));
  for (let i = 0; i < taken; i += 7) {
    const start = i * (16_384 + 3);
    assert.ok(
      heard.bytes.subarray(start + 3, start + 3 + 16_384).equals(message(16_384, i)),
      `${i}`,
    );
  }
  const before = heard.bytes.length;
  assert.equal(network.publish(message(100, 5), 200_000), undefined);
  await until("one more", () => heard.bytes.length === before + 101);

  // Where it stands still for longer, it is given up.
  stream.pause();
  for (let token = 0; network.reachablePeers() === 2; token++) {
    assert.equal(network.publish(message(16_384, token), 300_000 + token), undefined);
    if (token % 10 === 0) await Bun.sleep(2);
    assert.ok(token < 10_000);
  }
  await until("a reset", () => heard.ended);
  assert.ok(heard.failure !== undefined);
  await until("nothing queued", () => network.queued() === 0);
});

withPeers("what no receiver took is dropped, not sent", async (started) => {
  const { network, told } = await started.node("reversed-sqmr", 0, []);
  const still = await started.peer(2, network.addresses);
  const stream = await (await connectionOf(still)).newStream(protocols[0]);
  stream.pause();
  await stream.close();
  await until("its session", () => network.reachablePeers() === 1);
  for (let token = 0; token < 100; token++) network.publish(message(16_384, token), token);
  await Bun.sleep(50);
  await still.stop();
  await until("nothing queued", () => network.queued() === 0);
  assert.ok(told.droppedTokens.length > 0);
  const ends = [...told.sentTokens, ...told.droppedTokens.map(({ token }) => token)];
  assert.deepEqual(ends.toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
});

withPeers("a peer's newer query takes the place of its older one", async (started) => {
  const { network } = await started.node("reversed-sqmr", 0, []);
  const connection = await connectionOf(await started.peer(1, network.addresses));
  const [older, newer] = [
    await connection.newStream(protocols[1]),
    await connection.newStream(protocols[1]),
  ];
  const heard = [new Heard(older), new Heard(newer)];
  await older.close();
  await until("the first", () => network.reachablePeers() === 1);
  await newer.close();
  await until("the first one's end", () => heard[0]?.ended === true);
  assert.equal(heard[0]?.failure, undefined);
  assert.equal(network.reachablePeers(), 1);
  network.publish(message(10, 1), 0);
  await until("the message", () => heard[1]?.bytes.length === 11);
  assert.equal(heard[0]?.bytes.length, 0);
});

withPeers("startReversedSqmr() lives through what no query and no response is", async (started) => {
  // A query with bytes, and resets: the sessions end.
  const { network } = await started.node("reversed-sqmr", 0, []);
  const connection = await connectionOf(await started.peer(1, network.addresses));
  const stream = await connection.newStream(protocols[0]);
  const heard = new Heard(stream);
  stream.send(message(10, 1));
  await until("a reset", () => heard.ended);
  assert.ok(heard.failure !== undefined);
  assert.equal(network.invalidMessages(), 1);
  (await connection.newStream(protocols[0])).abort(new Error("the test resets it"));
  await until("no session", () => network.activeInbound() === 0);
  assert.equal(connection.status, "open");

  // Responses: too long, not in their shortest form, cut off, reset; each time it opens another.
  const replies = ["ffffffff", "8000", "05aa", "818040", ""];
  let session = 0;
  const peer = await started.peer(3, [], {
    serves: {
      protocols,
      handler: async (opened) => {
        const reply = replies[session++];
        if (reply === undefined) opened.send(Buffer.from("02abcd", "hex"));
        else if (reply === "") opened.abort(new Error("the test resets it"));
        else {
          opened.send(Buffer.from(reply, "hex"));
          await opened.close().catch(() => {});
        }
      },
    },
  });
  const receiver = await started.node("reversed-sqmr", 4, peer.addresses);
  await until("a good response", () => receiver.told.messages.length === 1);
  assert.equal(session, replies.length + 1);
  assert.equal(receiver.network.invalidMessages(), 4);
  assert.equal(receiver.network.connectedPeers(), 1);
});
