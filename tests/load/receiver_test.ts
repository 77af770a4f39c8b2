import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Codec } from "../../lib/codec/codec.ts";
import { createDnsCodec } from "../../lib/codec/dns.ts";
import { createEchoCodec } from "../../lib/codec/echo.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import { MessageLedger } from "../../lib/load/ledger.ts";
import { messageCounts } from "../../lib/load/message_counters.ts";
import { Receiver } from "../../lib/load/receiver.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { assertBalanced, Books } from "./books.ts";

const sentMessages = 40;

/** A receiver of one connection on which messages 0 to 39 are in flight. */
function build(codec: Codec, framing: "stream" | "message", verify: boolean) {
  const ledger = new MessageLedger({
    connections: 1,
    timeoutNs: 60e9,
    sequenceBits: codec.sequenceBits,
  });
  const recorder = new LatencyRecorder();
  const books = new Books();
  for (let i = 0; i < sentMessages; i++) {
    const atNs = nowNs();
    const sequence = ledger.issue(0, atNs, 1, true);
    ledger.markSent(0, atNs);
    books.sent(0, sequence, 1, atNs);
  }
  const events = { ended: 0, unreadable: 0 };
  const receiver = new Receiver(
    { connections: 1, framing, verify },
    codec,
    ledger,
    recorder,
    {
      ended: () => events.ended++,
      unreadable(connection) {
        events.unreadable++;
        ledger.closeConnection(connection);
        receiver.forget(connection);
      },
    },
    books,
  );
  return { ledger, recorder, books, events, receiver };
}

function message(codec: Codec, sequence: number): Uint8Array {
  const bytes = new Uint8Array(codec.messageBytes);
  codec.prepare(bytes);
  codec.stamp(bytes, 0, sequence);
  return bytes;
}

/** What a DNS server makes of a query: a response with records behind the question. */
function dnsAnswer(codec: Codec, sequence: number, recordBytes: number): Uint8Array {
  const query = message(codec, sequence);
  const answer = new Uint8Array(query.length + recordBytes).fill(0xc0);
  answer.set(query);
  answer[4]! |= 0x80;
  answer[9] = 1;
  new DataView(answer.buffer).setUint16(0, answer.length - 2);
  return answer;
}

function spoilt(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 0x10;
  return copy;
}

function streams(): Record<string, { codec: Codec; answers: Uint8Array[] }> {
  const echo = createEchoCodec({ sizeBytes: 20, framing: "stream" });
  const bare = createEchoCodec({ sizeBytes: 12, framing: "stream" });
  const dns = createDnsCodec({ query: "example.com/A", framing: "stream" });
  return {
    echo: {
      codec: echo,
      answers: [
        ...[0, 1, 1, 3, 2, 900].map((sequence) => message(echo, sequence)),
        spoilt(message(echo, 4), 15),
        message(echo, 4),
        ...[5, 7, 6, 5].map((sequence) => message(echo, sequence)),
      ],
    },
    "echo without payload": {
      codec: bare,
      answers: [0, 2, 2, 1, 77, 3].map((sequence) => message(bare, sequence)),
    },
    "dns, echoed and answered": {
      codec: dns,
      answers: [
        message(dns, 0),
        dnsAnswer(dns, 1, 16),
        dnsAnswer(dns, 2, 0),
        dnsAnswer(dns, 2, 5),
        spoilt(dnsAnswer(dns, 4, 9), 20),
        dnsAnswer(dns, 5, 40),
        message(dns, 3),
        message(dns, 60_000),
      ],
    },
  };
}

/** Everything that came of a stream in these pieces. */
function outcome(codec: Codec, pieces: readonly Uint8Array[], verify = true) {
  const { ledger, recorder, books, events, receiver } = build(codec, "stream", verify);
  for (const piece of pieces) receiver.data(0, piece);
  const counts = messageCounts(ledger.outside, ledger.steady);
  assertBalanced(counts);
  assert.deepEqual(books.faults, []);
  const answered = books.messages.filter(({ answeredNs }) => !Number.isNaN(answeredNs));
  assert.equal(recorder.response.count, counts.answered);
  assert.equal(recorder.service.count, counts.answered);
  return {
    counts,
    anomalies: receiver.anomalies,
    events,
    bytes: receiver.bytesReceived,
    answered: answered.map(({ sequence }) => sequence),
    statuses: Object.keys(codec.answerStatuses()).sort(),
  };
}

for (const [name, { codec, answers }] of Object.entries(streams())) {
  test(`Receiver finds the same in a stream however it is cut: ${name}`, () => {
    const stream = Buffer.concat(answers);
    const whole = outcome(codec, [stream]);
    assert.equal(whole.events.unreadable, 0);
    assert.ok(whole.anomalies.duplicated > 0 && whole.anomalies.unknown > 0);
    assert.ok(whole.anomalies.reordered > 0);
    assert.deepEqual(outcome(codec, answers), whole);
    for (let at = 0; at <= stream.length; at++) {
      const pieces = [stream.subarray(0, at), stream.subarray(at)];
      assert.deepEqual(outcome(codec, pieces), whole, `cut at ${at}`);
    }
    assert.deepEqual(outcome(codec, [...stream].map((byte) => Uint8Array.of(byte))), whole);
    const random = seededRandom(3);
    for (let i = 0; i < 300; i++) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < stream.length;) {
        const length = 1 + Math.floor(random() * 45);
        // In memory that is used again, as transports do.
        pieces.push(stream.subarray(at, at + length));
        at += length;
      }
      assert.deepEqual(outcome(codec, pieces), whole, `cut into ${pieces.length}`);
    }
  });
}

test("Receiver counts what came exactly", () => {
  const { echo } = streams();
  const { counts, anomalies, events } = outcome(echo!.codec, [Buffer.concat(echo!.answers)]);
  assert.deepEqual(anomalies, {
    duplicated: 3, // 1, 4 after its spoilt answer, and 5
    late: 0,
    reordered: 2,
    corrupted: 1,
    unknown: 1,
  });
  assert.deepEqual([counts.answered, counts.lost.corrupted, events.ended], [7, 1, 8]);
  const unverified = outcome(echo!.codec, [Buffer.concat(echo!.answers)], false);
  assert.deepEqual([unverified.anomalies.corrupted, unverified.counts.answered], [0, 8]);
});

test("data() gives a stream up where a header cannot be right, wherever it is cut", () => {
  const codec = createEchoCodec({ sizeBytes: 20, framing: "stream" });
  const stream = Buffer.concat([
    message(codec, 0),
    message(codec, 1),
    spoilt(message(codec, 2), 6),
    message(codec, 3),
  ]);
  for (let at = 0; at <= stream.length; at++) {
    const { receiver, ledger, events } = build(codec, "stream", true);
    receiver.data(0, stream.subarray(0, at));
    if (events.unreadable === 0) receiver.data(0, stream.subarray(at));
    assert.deepEqual(events, { ended: 2, unreadable: 1 }, `cut at ${at}`);
    assert.equal(receiver.anomalies.corrupted, 1);
    assert.equal(ledger.steady.lostClosed, sentMessages - 2);
  }
});

test("forget() starts afresh after an answer that never ended", () => {
  const codec = createEchoCodec({ sizeBytes: 20, framing: "stream" });
  for (const length of [1, 11, 12, 13, 19]) {
    const { receiver, ledger } = build(codec, "stream", true);
    receiver.data(0, message(codec, 0).subarray(0, length));
    ledger.closeConnection(0);
    receiver.forget(0);
    const sequence = ledger.issue(0, nowNs(), 1, true);
    ledger.markSent(0, nowNs());
    receiver.data(0, message(codec, sequence));
    assert.equal(ledger.steady.answered, 1, `after ${length} bytes`);
  }
});

test("data() takes each datagram by itself", () => {
  const codec = createEchoCodec({ sizeBytes: 20, framing: "message" });
  const { receiver, ledger, events } = build(codec, "message", true);
  receiver.data(0, message(codec, 0));
  for (
    const bad of [
      new Uint8Array(0),
      message(codec, 1).subarray(0, 19),
      new Uint8Array([...message(codec, 1), 0]),
      spoilt(message(codec, 1), 5),
      spoilt(message(codec, 2), 19),
    ]
  ) {
    receiver.data(0, bad);
  }
  receiver.data(0, message(codec, 1));
  assert.deepEqual(events, { ended: 3, unreadable: 0 });
  assert.equal(receiver.anomalies.corrupted, 5);
  assert.deepEqual([ledger.steady.answered, ledger.steady.lostCorrupted], [2, 1]);
});

test("data() survives random bytes, cut and whole, true answers among them", () => {
  const random = seededRandom(11);
  const below = (n: number) => Math.floor(random() * n);
  for (const framing of ["stream", "message"] as const) {
    const codecs = [
      createEchoCodec({ sizeBytes: 20, framing }),
      createDnsCodec({ query: "example.com/A", framing }),
    ];
    for (const codec of codecs) {
      let unreadable = 0;
      for (let i = 0; i < 120; i++) {
        const { receiver, ledger, books, events } = build(codec, framing, random() < 0.5);
        for (let piece = 0; piece < 60; piece++) {
          const truth = message(codec, below(sentMessages));
          const bytes = random() < 0.5
            ? truth
            : Uint8Array.from({ length: below(60) }, () => random() < 0.3 ? 0 : below(256));
          receiver.data(0, random() < 0.3 ? bytes.subarray(0, below(bytes.length + 1)) : bytes);
          assertBalanced(messageCounts(ledger.outside, ledger.steady));
        }
        unreadable += events.unreadable;
        // Once the books are closed an answer that was cut off may be one more that is not open.
        if (events.unreadable === 0) assert.deepEqual(books.faults, []);
        const { anomalies } = receiver;
        assert.ok(Object.values(anomalies).every((count) => count >= 0));
      }
      assert.ok(framing === "message" ? unreadable === 0 : unreadable >= 100, `${unreadable}`);
    }
  }
});
