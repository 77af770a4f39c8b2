import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import type { Stream } from "../../../lib/p2p/network/libp2p_types.ts";
import { maximumMessageBytes } from "../../../lib/p2p/sqmr/framing.ts";
import { readQuery } from "../../../lib/p2p/sqmr/query_reader.ts";
import { connectionOf, Heard, message, numberOf, until, withPeers } from "./peers.ts";

const protocols = ["/stress-test/1.0.0", "/stress-test/0.1.0"] as const;

withPeers("startSqmr() sends each message to one peer, in turn", async (started) => {
  const receivers = [await started.node("sqmr", 1, []), await started.node("sqmr", 2, [])];
  const { network, told } = await started.node(
    "sqmr",
    0,
    receivers.flatMap((receiver) => receiver.network.addresses),
  );
  await until("both peers", () => network.reachablePeers() === 2);
  for (let token = 0; token < 300; token++) {
    assert.equal(network.publish(message(100, token), token), undefined);
    if (token % 20 === 0) await Bun.sleep(1);
  }
  await until("all sent", () => told.sentTokens.length === 300);
  const all = () => receivers.flatMap((receiver) => receiver.told.messages);
  await until("all received", () => all().length === 300);
  assert.deepEqual(
    told.sentTokens.toSorted((a, b) => a - b),
    Array.from({ length: 300 }, (_, i) => i),
  );
  assert.deepEqual(new Set(all().map(numberOf)).size, 300);
  for (const bytes of all()) assert.deepEqual(bytes, message(100, numberOf(bytes)));
  const parities = receivers.map((receiver) =>
    new Set(receiver.told.messages.map((bytes) => numberOf(bytes) % 2))
  );
  assert.deepEqual(parities.map((set) => set.size), [1, 1], "in turn");
  assert.equal(network.queued(), 0);
  await until("the sessions' end", () => network.activeOutbound() === 0);
  for (const receiver of receivers) {
    await until("the sessions' end", () => receiver.network.activeInbound() === 0);
  }
  assert.deepEqual(told.droppedTokens, []);
});

withPeers("startSqmr() carries every size up to 1 MiB", async (started) => {
  const receiver = await started.node("sqmr", 1, []);
  const sizes = [36, 1_200, 65_536, 300_000, maximumMessageBytes];
  const { network } = await started.node("sqmr", 0, receiver.network.addresses, {
    messageBytes: maximumMessageBytes,
  });
  await until("the peer", () => network.reachablePeers() === 1);
  for (const [token, size] of sizes.entries()) {
    assert.equal(network.publish(message(size, token), token), undefined);
  }
  assert.equal(network.publish(new Uint8Array(maximumMessageBytes + 1), 9), "message_too_large");
  await until("all", () => receiver.told.messages.length === sizes.length);
  for (const bytes of receiver.told.messages) {
    const number = numberOf(bytes);
    assert.ok(Buffer.from(bytes).equals(message(sizes[number] ?? 0, number)), `${sizes[number]}`);
  }
});

withPeers("startSqmr() and startReversedSqmr() refuse sizes over 1 MiB", async (started) => {
  for (const protocol of ["sqmr", "reversed-sqmr"] as const) {
    await assert.rejects(
      started.node(protocol, 0, [], { messageBytes: maximumMessageBytes + 1 }),
      (error) => error instanceof UsageError && /at most 1048576 bytes/.test(error.message),
    );
  }
});

withPeers("publish() says why it does not take a message", async (started) => {
  const receiver = await started.node("sqmr", 1, []);
  const { network, told } = await started.node("sqmr", 0, receiver.network.addresses, {
    bufferSize: 5,
  });
  assert.equal(network.publish(message(100, 0), 0), "no_peers_subscribed_to_topic");
  await until("the peer", () => network.reachablePeers() === 1);
  const reasons = Array.from({ length: 8 }, (_, i) => network.publish(message(100, i), i));
  assert.deepEqual(reasons, [
    ...Array.from({ length: 5 }, () => undefined),
    ...Array.from({ length: 3 }, () => "all_queues_full"),
  ]);
  assert.equal(network.queued(), 5);
  await until("all sent", () => network.queued() === 0);
  assert.deepEqual(told.sentTokens.toSorted(), [0, 1, 2, 3, 4]);
});

withPeers("startSqmr() drops queries of which more come in than may wait", async (started) => {
  const receiver = await started.node("sqmr", 1, [], { bufferSize: 3 });
  const peer = await started.peer(0, receiver.network.addresses);
  const connection = await connectionOf(peer);
  const streams: Stream[] = [];
  for (let number = 0; number < 5; number++) {
    const stream = await connection.newStream(protocols[0]);
    // Those beyond are reset as soon as they are open.
    if (number < 3) stream.send(message(10, number));
    streams.push(stream);
  }
  await until("two dropped", () => receiver.network.overflowed() === 2);
  await until("two reset", () => streams.filter(({ status }) => status === "reset").length === 2);
  for (const stream of streams.slice(0, 3)) await stream.close();
  await until("the others", () => receiver.told.messages.length === 3);
  assert.deepEqual(receiver.told.messages.map(numberOf).toSorted(), [0, 1, 2]);
  // There is room again.
  const last = await connection.newStream(protocols[0]);
  last.send(message(10, 7));
  await last.close();
  await until("one more", () => receiver.told.messages.length === 4);
  assert.equal(receiver.network.overflowed(), 2);
  assert.equal(receiver.network.invalidMessages(), 0);
});

withPeers("startSqmr() drops what waits when the last peer is gone", async (started) => {
  const receiver = await started.node("sqmr", 1, []);
  const { network, told } = await started.node("sqmr", 0, receiver.network.addresses);
  await until("the peer", () => network.reachablePeers() === 1);
  const tokens = Array.from({ length: 500 }, (_, i) => i);
  for (const token of tokens) network.publish(message(1024, token), token);
  await receiver.network.stop();
  await until("nothing waits", () => network.queued() === 0);
  const ends = [...told.sentTokens, ...told.droppedTokens.map(({ token }) => token)];
  assert.deepEqual(ends.toSorted((a, b) => a - b), tokens, "each token ends once");
  assert.ok(told.droppedTokens.length > 0);
  for (const { reason } of told.droppedTokens) assert.equal(reason, "no_peers_subscribed_to_topic");
  assert.ok(receiver.told.messages.length <= told.sentTokens.length);
});

withPeers(
  "a query is its raw bytes, then the half is closed, on both protocols",
  async (started) => {
    for (const [index, protocol] of protocols.entries()) {
      const heard: Heard[] = [];
      const peer = await started.peer(1 + index, [], {
        serves: {
          protocols: [protocol],
          handler: (stream) => {
            heard.push(new Heard(stream));
            // Two responses, then the end: all are read.
            setTimeout(() => {
              stream.send(Buffer.from("03aabbcc" + "00", "hex"));
              void stream.close();
            }, 20);
          },
        },
      });
      const { network, told } = await started.node("sqmr", 0, peer.addresses);
      await until("the peer", () => network.reachablePeers() === 1);
      for (const token of [0, 1, 2]) network.publish(message(40, token), token);
      await until("all sent", () => told.sentTokens.length === 3);
      await until("all heard", () => heard.length === 3 && heard.every(({ ended }) => ended));
      const bytes = heard.map((each) => each.bytes);
      assert.deepEqual(bytes.map(numberOf).toSorted(), [0, 1, 2]);
      for (const query of bytes) {
        assert.deepEqual(
          new Uint8Array(query),
          message(40, numberOf(query)),
        );
      }
      await until("the responses' end", () => network.activeOutbound() === 0);
      await network.stop();
    }
  },
);

withPeers("a receiver ends the session without a response, on both protocols", async (started) => {
  const receiver = await started.node("sqmr", 1, []);
  const peer = await started.peer(0, receiver.network.addresses);
  const connection = await connectionOf(peer);
  for (const protocol of protocols) {
    const stream = await connection.newStream(protocol);
    const heard = new Heard(stream);
    stream.send(message(50, 1));
    await Bun.sleep(20);
    assert.equal(receiver.told.messages.length, 0, "not before its end");
    assert.equal(receiver.network.activeInbound(), 1);
    stream.send(message(50, 2));
    await stream.close();
    await until("the end", () => heard.ended);
    assert.equal(heard.failure, undefined);
    assert.equal(heard.bytes.length, 0);
    const [query] = receiver.told.messages.splice(0);
    assert.deepEqual(query, Uint8Array.of(...message(50, 1), ...message(50, 2)));
  }
});

withPeers("readQuery() reads a query that came before anyone listened", async (started) => {
  const queries: Uint8Array[] = [];
  const server = await started.peer(1, [], {
    serves: {
      protocols: ["/late/1.0.0"],
      handler: async (stream) => {
        await Bun.sleep(50);
        readQuery(stream, new AbortController().signal, {
          query: (bytes) => queries.push(new Uint8Array(bytes)),
          failed: (failure) => {
            throw failure;
          },
        });
      },
    },
  });
  const connection = await connectionOf(await started.peer(0, server.addresses));
  for (const size of [0, 1, 5_000]) {
    const stream = await connection.newStream("/late/1.0.0");
    if (size > 0) stream.send(message(size, 3));
    await stream.close();
    await until(`${size} bytes`, () => queries.length === 1);
    assert.deepEqual(queries.shift(), message(size, 3));
  }
});

withPeers("startSqmr() lives through what no query is", async (started) => {
  const receiver = await started.node("sqmr", 1, []);
  const peer = await started.peer(0, receiver.network.addresses);
  const connection = await connectionOf(peer);
  const open = () => connection.newStream(protocols[0]);

  // Over 1 MiB: the session ends before its end.
  const long = await open();
  const heard = new Heard(long);
  const piece = new Uint8Array(100_000);
  for (let sent = 0; sent <= maximumMessageBytes && !heard.ended; sent += piece.length) {
    if (!long.send(piece)) await long.onDrain().catch(() => {});
  }
  await until("a reset", () => heard.ended);
  assert.ok(heard.failure !== undefined);
  assert.equal(receiver.network.invalidMessages(), 1);

  // Reset in the middle, after nothing, and with bytes in flight.
  for (const size of [0, 10, 200_000]) {
    const stream = await open();
    if (size > 0) stream.send(new Uint8Array(size));
    await Bun.sleep(10);
    stream.abort(new Error("the test resets it"));
  }
  await until("no session", () => receiver.network.activeInbound() === 0);
  assert.equal(receiver.told.messages.length, 0);

  // The same connection still serves.
  const good = await open();
  good.send(message(60, 4));
  await good.close();
  await until("the message", () => receiver.told.messages.length === 1);
  assert.equal(connection.status, "open");
  assert.equal(receiver.network.connectedPeers(), 1);
});

withPeers("startSqmr() lives through malformed responses", async (started) => {
  const replies = ["ffffffff", "8000", "05aa", "818040"];
  let session = 0;
  const peer = await started.peer(1, [], {
    serves: {
      protocols,
      handler: (stream) => {
        stream.send(Buffer.from(replies[session++ % replies.length] ?? "", "hex"));
        stream.close().catch(() => {});
      },
    },
  });
  const { network, told } = await started.node("sqmr", 0, peer.addresses);
  await until("the peer", () => network.reachablePeers() === 1);
  for (let token = 0; token < 20; token++) {
    network.publish(message(40, token), token);
    await Bun.sleep(2);
  }
  await until("all ended", () => told.sentTokens.length + told.droppedTokens.length === 20);
  await until("the sessions' end", () => network.activeOutbound() === 0);
  assert.equal(network.connectedPeers(), 1);
});

withPeers("startSqmr() passes over a peer that speaks none of the protocols", async (started) => {
  const mute = await started.peer(2, []);
  const receiver = await started.node("sqmr", 1, []);
  const { network, told } = await started.node("sqmr", 0, [
    ...mute.addresses,
    ...receiver.network.addresses,
  ]);
  await until("both peers", () => network.connectedPeers() === 2);
  for (let token = 0; token < 20; token++) {
    assert.equal(network.publish(message(40, token), token), undefined);
  }
  await until("all sent", () => told.sentTokens.length === 20);
  await until("all received", () => receiver.told.messages.length === 20);
  assert.equal(network.reachablePeers(), 1);
});
