import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Event } from "../../../lib/wamp/message/message.ts";
import { CborEventScanner } from "../../../lib/wamp/probe/cbor_event_scanner.ts";
import { readEvent } from "../../../lib/wamp/probe/decoded_event.ts";
import type { EventScanner } from "../../../lib/wamp/probe/event_scanner.ts";
import { JsonEventScanner } from "../../../lib/wamp/probe/json_event_scanner.ts";
import { MsgpackEventScanner } from "../../../lib/wamp/probe/msgpack_event_scanner.ts";
import { PayloadMaker } from "../../../lib/wamp/probe/payload_maker.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

const scannerOf: Readonly<Record<string, EventScanner>> = {
  json: new JsonEventScanner(),
  msgpack: new MsgpackEventScanner(),
  cbor: new CborEventScanner(),
};

const payload = (bytes: number) =>
  new PayloadMaker(bytes, 0xfedcba98).next(2 ** 45 + 12345).slice();

const details: Record<string, unknown>[] = [
  {},
  { publisher: 2 ** 53, publisher_authid: "someone", trustlevel: 3, retained: false },
  { forward_for: [{ session: 7, authid: 'a"b\\', authrole: "router2router" }] },
  { forward_for: null, topic: "com.example", x: [1, -5, 1.5, -(2 ** 40), { y: [] }], z: true },
  Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`key${i}`, "v".repeat(i * 9)])),
];

const events: readonly (readonly unknown[])[] = details.flatMap((each) =>
  [12, 13, 14, 256, 70_000].flatMap((bytes) =>
    [0, 23, 24, 255, 256, 65_536, 2 ** 32 + 1].map((loop) => [
      36,
      5,
      2 ** 52 + loop,
      each,
      ["client0.3.17.0", "ws://localhost:8080/ws", loop, loop % 7, payload(bytes)],
    ])
  )
);

const bytesOf = (encoded: string | Uint8Array) =>
  typeof encoded === "string" ? new TextEncoder().encode(encoded) : encoded;

for (const serializer of serializers) {
  const scanner = scannerOf[serializer.name]!;

  test(`EventScanner.scan() reads ${serializer.name} as the decoder does`, () => {
    for (const event of events) {
      const bytes = bytesOf(serializer.encode(event));
      assert.equal(scanner.scan(bytes), true, JSON.stringify(event.slice(0, 4)));
      const { name, ...expected } = readEvent(serializer.decode(bytes) as unknown as Event)!;
      const { isForwarded, loop, counter, payloadBytes, timeHigh, timeLow, tag } = scanner;
      assert.deepEqual(
        { isForwarded, loop, counter, payloadBytes, timeHigh, timeLow, tag },
        expected,
      );
      assert.equal(
        new TextDecoder().decode(bytes.subarray(scanner.nameAt, scanner.nameEnd)),
        name,
      );
      assert.equal(tag, 0xfedcba98);
      assert.equal(timeHigh * 2 ** 32 + timeLow, 2 ** 45 + 12345);
    }
  });

  test(`EventScanner.scan() leaves other messages in ${serializer.name} to the decoder`, () => {
    const others: readonly (readonly unknown[])[] = [
      [17, 1, 2],
      [36, 1, 2, {}],
      [36, 1, 2, {}, []],
      [36, 1, 2, {}, ["name", "url", 1, 2]],
      [36, 1, 2, {}, ["name", "url", 1, 2, "text"]],
      [36, 1, 2, {}, ["name", "url", 1.5, 2, payload(20)]],
      [36, 1, 2, {}, ["name", "url", -1, 2, payload(20)]],
      [36, 1, 2, {}, [1, "url", 1, 2, payload(20)]],
      [50, 1, {}, ["name", "url", 1, 2, payload(20)]],
      [68, 1, 2, {}, ["name", "url", 1, 2, payload(20)]],
    ];
    for (const message of others) {
      assert.equal(
        scanner.scan(bytesOf(serializer.encode(message))),
        false,
        JSON.stringify(message),
      );
    }
  });

  test(`EventScanner.scan() survives broken ${serializer.name}`, () => {
    const random = seededRandom(3);
    for (const event of events.filter((_, index) => index % 9 === 0)) {
      const bytes = bytesOf(serializer.encode(event)).slice(0, 600);
      for (let cut = 0; cut < Math.min(100, bytes.length - 1); cut++) {
        scanner.scan(bytes.subarray(0, cut));
      }
      for (let round = 0; round < 30; round++) {
        const broken = bytes.slice();
        for (let flips = 0; flips < 3; flips++) {
          broken[Math.floor(random() * Math.min(broken.length, 120))] = Math.floor(random() * 256);
        }
        scanner.scan(broken);
      }
    }
  });
}
