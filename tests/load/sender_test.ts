import { test } from "bun:test";
import assert from "node:assert/strict";
import { headerOk } from "../../lib/codec/codec.ts";
import { createDnsCodec } from "../../lib/codec/dns.ts";
import { createEchoCodec } from "../../lib/codec/echo.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import { MessageLedger } from "../../lib/load/ledger.ts";
import { messageCounts } from "../../lib/load/message_counters.ts";
import { Sender, type SendingSide } from "../../lib/load/sender.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { assertBalanced, Books } from "./books.ts";

/** Takes as many bytes as chance has it, and none after it took fewer than offered until `unblock`. */
class FitfulSide implements SendingSide {
  readonly streams: Uint8Array[][] = [];
  readonly isBlocked: boolean[] = [];

  constructor(
    connections: number,
    private readonly random: () => number,
    private readonly isMessageSide: boolean,
  ) {
    for (let id = 0; id < connections; id++) {
      this.streams.push([]);
      this.isBlocked.push(false);
    }
  }

  send(id: number, bytes: Uint8Array, offset: number, length: number, messageBytes: number) {
    assert.ok(!this.isBlocked[id], "nothing is offered to a full connection");
    assert.ok(length > 0 && offset + length <= bytes.length);
    const choice = this.random();
    let accepted = choice < 0.3 ? length : choice < 0.5 ? 0 : Math.floor(this.random() * length);
    if (this.isMessageSide) accepted -= accepted % messageBytes;
    this.streams[id]!.push(bytes.slice(offset, offset + accepted));
    this.isBlocked[id] = accepted < length;
    return accepted;
  }
}

function build(options: {
  connections: number;
  sizeBytes: number | "dns";
  isMessageSide: boolean;
  seed: number;
}) {
  const random = seededRandom(options.seed);
  const framing = options.isMessageSide ? "message" : "stream";
  const codec = options.sizeBytes === "dns"
    ? createDnsCodec({ query: "example.com/A", framing })
    : createEchoCodec({ sizeBytes: options.sizeBytes, framing });
  const { connections } = options;
  const ledger = new MessageLedger({
    connections,
    timeoutNs: 25,
    sequenceBits: codec.sequenceBits,
  });
  const recorder = new LatencyRecorder();
  const side = new FitfulSide(connections, random, options.isMessageSide);
  const books = new Books();
  const sender = new Sender(connections, codec, ledger, recorder, side, books);
  return { random, codec, ledger, recorder, side, books, sender };
}

type Built = ReturnType<typeof build>;

/** The numbers of the messages that a stream holds; it holds nothing else, but for its last one. */
function readStream({ codec, side }: Built, connection: number): number[] {
  const stream = Buffer.concat(side.streams[connection]!);
  const sequences: number[] = [];
  let offset = 0;
  while (stream.length - offset >= codec.messageBytes) {
    const { messageBytes } = codec;
    assert.equal(codec.readHeader(stream, offset, messageBytes), headerOk, `at ${offset}`);
    const sequence = codec.answerSequence;
    assert.equal(codec.answerBytes, messageBytes);
    assert.ok(codec.matches(stream, offset, messageBytes, 0, sequence), `at ${offset}`);
    sequences.push(sequence);
    offset += messageBytes;
  }
  return sequences;
}

const kinds = [
  { sizeBytes: 12, isMessageSide: false },
  { sizeBytes: 37, isMessageSide: true },
  { sizeBytes: "dns", isMessageSide: false },
  // Two, and less than one, to a batch.
  { sizeBytes: 100_000, isMessageSide: false },
  { sizeBytes: 300_000, isMessageSide: false },
] as const;

for (const kind of kinds) {
  const name = `${kind.sizeBytes}${kind.isMessageSide ? " over datagrams" : ""}`;
  test(`Sender brings whole messages out in order whatever is accepted, size ${name}`, () => {
    const connections = 3;
    for (let seed = 1; seed <= 4; seed++) {
      const built = build({ connections, seed, ...kind });
      const { random, ledger, recorder, side, books, sender } = built;
      let queued = 0;
      let heldBack = 0;
      const flush = () => {
        const wasFree = side.isBlocked.map((isBlocked) => !isBlocked);
        sender.flush();
        for (let id = 0; id < connections; id++) {
          if (!wasFree[id]) continue;
          for (let s = ledger.firstWaitingOn(id); s >= 0; s = ledger.waitingAfter(s)) heldBack++;
        }
      };
      const operations = typeof kind.sizeBytes === "number" && kind.sizeBytes > 1000 ? 200 : 1500;
      for (let i = 0; i < operations; i++) {
        const connection = Math.floor(random() * connections);
        const choice = random();
        if (choice < 0.5) {
          if (side.isBlocked[connection]) heldBack++;
          sender.queue(connection, i, 1, true, i + 5);
          queued++;
        } else if (choice < 0.7) {
          flush();
        } else if (choice < 0.9) {
          side.isBlocked[connection] = false;
          sender.drain(connection);
        } else {
          // Waiting messages time out, also those of which a part is out.
          ledger.expire(i);
        }
        assertBalanced(messageCounts(ledger.outside, ledger.steady));
      }
      flush();
      const gaveUp = ledger.steady.unsentHeldBack;
      assert.equal(recorder.lateness.count, queued, "lateness is recorded once a message");
      assert.equal(recorder.scheduleError.count, books.messages.length);
      assert.equal(ledger.steady.sent, books.messages.length);
      assert.equal(sender.heldBackSends, heldBack);
      assert.ok(heldBack > 10 && gaveUp > 10, `${heldBack} held back, ${gaveUp} given up`);
      let whole = 0;
      for (let id = 0; id < connections; id++) {
        const sequences = readStream(built, id);
        whole += sequences.length;
        const sorted = [...sequences].sort((a, b) => a - b);
        assert.deepEqual(sequences, sorted, "in order");
        const traced = books.messages.filter(({ connection }) => connection === id);
        const sent = new Set(traced.map(({ sequence }) => sequence));
        // What the stream holds beside the sent ones was given up when a part of it was out.
        const extra = sequences.filter((sequence) => !sent.has(sequence));
        assert.equal(extra.length, sequences.length - traced.length);
        assert.ok(extra.length <= gaveUp);
      }
      const bytes = side.streams.flat().reduce((sum, { length }) => sum + length, 0);
      assert.equal(sender.bytesSent, bytes);
      assert.ok(whole > 10, `${whole} messages`);
    }
  });
}

test("flush() sends all that is due on a connection in one call", () => {
  const { ledger, recorder } = build({
    connections: 2,
    sizeBytes: 12,
    isMessageSide: false,
    seed: 1,
  });
  const codec = createEchoCodec({ sizeBytes: 12, framing: "stream" });
  const calls: [number, number][] = [];
  const side: SendingSide = {
    send(id, _bytes, _offset, length) {
      calls.push([id, length]);
      return length;
    },
  };
  const sender = new Sender(2, codec, ledger, recorder, side, undefined);
  for (let i = 0; i < 10; i++) sender.queue(i % 3 === 0 ? 1 : 0, 0, 1, false, 0);
  sender.flush();
  assert.deepEqual(calls, [[1, 48], [0, 72]]);
  sender.flush();
  assert.equal(calls.length, 2);
  assert.equal(ledger.outside.sent, 10);
  assert.equal(recorder.lateness.count + recorder.scheduleError.count, 0, "none is steady");
});

test("queue() counts what a connection without free ids cannot take as held back", () => {
  const { ledger, recorder, sender } = build({
    connections: 1,
    sizeBytes: "dns",
    isMessageSide: false,
    seed: 1,
  });
  while (!ledger.isFullOn(0)) ledger.issue(0, 0, 1, true);
  const { due } = ledger.steady;
  sender.queue(0, 1000, 1, true, 3000);
  assert.deepEqual([ledger.steady.due - due, ledger.steady.unsentHeldBack], [1, 1]);
  assert.equal(sender.heldBackSends, 1);
  assert.equal(recorder.lateness.total().maxNs, 2000);
  assertBalanced(messageCounts(ledger.steady));
});

test("flush() survives a connection that ends within a send", () => {
  for (const accepted of [0, 12, 30]) {
    const codec = createEchoCodec({ sizeBytes: 12, framing: "stream" });
    const ledger = new MessageLedger({ connections: 2, timeoutNs: 1e9, sequenceBits: 32 });
    const books = new Books();
    const streams = [0, 0];
    let isClosing = true;
    const sender: Sender = new Sender(2, codec, ledger, new LatencyRecorder(), {
      send(id, _bytes, _offset, length) {
        if (id === 1 || !isClosing) return streams[id]! += length, length;
        isClosing = false;
        ledger.closeConnection(0);
        sender.forget(0);
        return accepted;
      },
    }, books);
    const queue = (connection: number) => sender.queue(connection, nowNs(), 1, true, nowNs());
    for (let i = 0; i < 4; i++) queue(0);
    queue(1);
    sender.flush();
    assert.deepEqual([ledger.steady.unsentHeldBack, ledger.steady.sent], [4, 1]);
    // A connection that comes back under the same id starts afresh.
    queue(0);
    sender.flush();
    assert.deepEqual(streams, [12, 12]);
    assertBalanced(messageCounts(ledger.steady));
    assert.equal(books.messages.length, 2);
  }
});
