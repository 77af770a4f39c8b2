import assert from "node:assert/strict";
import { checkClientMessage, checkRouterMessage } from "../../../lib/wamp/message/check.ts";
import { payloadIndex } from "../../../lib/wamp/message/codes.ts";
import { ProtocolViolation } from "../../../lib/wamp/message/protocol_violation.ts";
import type { Encoded } from "../../../lib/wamp/serialization/serializer.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";
import { testWithVectors, vectorFiles } from "../official_vectors.ts";

interface Sample {
  readonly description: string;
  readonly serializers?: Readonly<Record<string, readonly { readonly bytes_hex: string }[]>>;
  /** A message whose options are to be checked. */
  readonly wmsg?: readonly unknown[];
  readonly expected_error?: { readonly type: string; readonly contains: string };
}

const fromRouter = new Set([2, 4, 17, 33, 35, 36, 50, 65, 67, 68, 69]);

function check(message: readonly unknown[]): void {
  (fromRouter.has(message[0] as number) ? checkRouterMessage : checkClientMessage)(message);
}

/** What the vectors say of single messages. */
function samples(): (readonly [string, Sample])[] {
  return [...vectorFiles("**/singlemessage/**/*.json")]
    // 337 is no message of the specification's text.
    .filter(([path]) => !path.endsWith("eventreceived.json"))
    .flatMap(([path, text]) => {
      const file = JSON.parse(text) as { samples: Sample[] };
      return file.samples.map((sample) => [`${path}: ${sample.description}`, sample] as const);
    });
}

testWithVectors("the official vectors decode, encode and pass through", () => {
  let checked = 0;
  for (const [name, { serializers: encodings = {} }] of samples()) {
    const messages: unknown[] = [];
    for (const serializer of serializers) {
      const what = `${name} in ${serializer.name}`;
      const vectors = (encodings[serializer.name] ?? []).map(({ bytes_hex }) => bytes_hex);
      for (const vector of vectors) {
        const bytes = Buffer.from(vector, "hex");
        const frame: Encoded = serializer.isBinary ? bytes : bytes.toString("utf8");
        const message = serializer.decode(frame);
        check(message);
        const { head, payload } = serializer.open(frame);
        assert.deepEqual([...head, ...payload.values()], message, what);
        if (payload.count > 0) assert.equal(head.length, payloadIndex(message[0] as number));
        for (const other of serializers) {
          assert.deepEqual(other.decode(other.encode(message)), message, what);
          assert.deepEqual(other.decode(other.join(head, payload)), message, what);
        }
        messages.push(message);
        checked++;
      }
      if (vectors.length === 0) continue;
      // The same bytes, but for the order in which dictionaries have their keys.
      const encoded = Buffer.from(serializer.encode(messages.at(-1) as unknown[]) as string);
      const sorted = (bytes: Buffer) => Buffer.from(bytes).sort().toString("hex");
      assert.ok(
        vectors.some((hex) => sorted(Buffer.from(hex, "hex")) === sorted(encoded)),
        `${what} became ${encoded.toString("hex")}`,
      );
    }
    for (const message of messages) assert.deepEqual(message, messages[0], name);
  }
  assert.ok(checked > 100, `only ${checked} vectors were found`);
});

testWithVectors("the official vectors' options are taken, or refused by name", () => {
  let checked = 0;
  for (const [name, { wmsg, expected_error }] of samples()) {
    if (wmsg === undefined) continue;
    checked++;
    // Arguments in payload passthru mode stand there in hex.
    const message = wmsg.map((element, index) =>
      index === 4 && typeof element === "string"
        ? new Uint8Array(Buffer.from(element, "hex"))
        : element
    );
    if (expected_error === undefined) {
      check(message);
      continue;
    }
    assert.equal(expected_error.type, "protocol_violation");
    assert.throws(() => check(message), (error) => {
      assert.ok(error instanceof ProtocolViolation, name);
      assert.equal(error.uri, "wamp.error.protocol_violation");
      assert.ok(error.message.includes(expected_error.contains), `${name}: ${error.message}`);
      return true;
    }, name);
  }
  assert.ok(checked > 60, `only ${checked} vectors were found`);
});
