import { test } from "bun:test";
import assert from "node:assert/strict";
import { RawSocketParser } from "../../../lib/wamp/transport/rawsocket_parser.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

const frame = (type: number, payload: Uint8Array) =>
  Buffer.concat([
    Buffer.of(type, payload.length >>> 16, (payload.length >>> 8) & 0xff, payload.length & 0xff),
    payload,
  ]);

function recorder(max = 2 ** 24) {
  const seen: string[] = [];
  const note = (kind: string) => (id: number, what: Uint8Array | string) =>
    void seen.push(
      `${id} ${kind} ${typeof what === "string" ? what : Buffer.from(what).toString("hex")}`,
    );
  const parser = new RawSocketParser(4, max, {
    message: note("message"),
    ping: note("ping"),
    violation: note("violation"),
  });
  return { seen, parser };
}

test("RawSocketParser.receive() finds the frames however the stream is split", () => {
  const random = seededRandom(5);
  const payloads = [0, 1, 3, 300, 5000, 70_000].map((length) =>
    Uint8Array.from({ length }, () => Math.floor(random() * 256))
  );
  const stream = Buffer.concat(payloads.flatMap((payload, index) => [
    frame(0, payload),
    frame(index % 2 === 0 ? 1 : 2, payload.subarray(0, 100)),
  ]));
  const whole = recorder();
  whole.parser.receive(2, stream);
  assert.equal(whole.seen.length, payloads.length + 3);
  for (let round = 0; round < 60; round++) {
    const { seen, parser } = recorder();
    const longest = round < 5 ? 1 + round : 1 + Math.floor(random() * 9000);
    for (let at = 0; at < stream.length;) {
      const length = 1 + Math.floor(random() * longest);
      parser.receive(2, stream.subarray(at, at + length));
      at += length;
    }
    assert.deepEqual(seen, whole.seen);
  }
});

test("RawSocketParser.receive() refuses unknown types and frames that are too long", () => {
  for (const split of [1, 4, 100]) {
    const { seen, parser } = recorder(10);
    const bytes = Buffer.concat([frame(0, new Uint8Array(10)), frame(0, new Uint8Array(11))]);
    for (let at = 0; at < bytes.length; at += split) {
      parser.receive(0, bytes.subarray(at, at + split));
    }
    assert.match(seen[1]!, /0 violation the router sent a frame of 11 bytes/);
  }
  const { seen, parser } = recorder();
  parser.receive(1, frame(9, new Uint8Array(2)));
  assert.deepEqual(seen, ["1 violation the router sent a frame of the unknown type 9"]);
});
