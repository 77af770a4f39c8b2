import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { payloadIndex } from "../../../lib/wamp/message/codes.ts";
import { checkClientMessage, checkRouterMessage } from "../../../lib/wamp/message/check.ts";
import type { Encoded } from "../../../lib/wamp/serialization/serializer.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";

// The vectors of https://github.com/wamp-proto/wamp-proto, folder testsuite, are not part of this
// project. HOLDFAST_WAMP_VECTORS names a folder that contains them.
const folder = process.env["HOLDFAST_WAMP_VECTORS"];

interface Vector {
  readonly bytes?: string;
  readonly bytes_hex: string;
}

interface Sample {
  readonly description: string;
  readonly serializers?: Readonly<Record<string, readonly Vector[]>>;
}

const router = new Set([2, 4, 17, 33, 35, 36, 50, 65, 67, 68, 69]);

const missing = folder === undefined ? " (skipped: HOLDFAST_WAMP_VECTORS names no folder)" : "";

test.skipIf(missing !== "")(
  `the official vectors decode, encode and pass through${missing}`,
  () => {
    let checked = 0;
    for (const path of new Bun.Glob("**/singlemessage/**/*.json").scanSync(folder!)) {
      if (path.endsWith("eventreceived.json")) continue; // 337 is no message of the specification's text
      const file = JSON.parse(readFileSync(join(folder!, path), "utf8")) as { samples: Sample[] };
      for (const { description, serializers: encodings = {} } of file.samples) {
        const messages: unknown[] = [];
        for (const serializer of serializers) {
          for (const vector of encodings[serializer.name] ?? []) {
            const bytes = Buffer.from(vector.bytes_hex, "hex");
            const frame: Encoded = serializer.isBinary ? bytes : bytes.toString("utf8");
            const what = `${path}: ${description} in ${serializer.name}`;
            const message = serializer.decode(frame);
            const isRouter = router.has(message[0] as number);
            (isRouter ? checkRouterMessage : checkClientMessage)(message);
            const { head, payload } = serializer.open(frame);
            assert.deepEqual([...head, ...payload.values()], message, what);
            if (payload.count > 0) assert.equal(head.length, payloadIndex(message[0] as number));
            // Encoded again it means the same, and in the form with the shortest heads the bytes agree.
            for (const other of serializers) {
              assert.deepEqual(other.decode(other.encode(message)), message, what);
              assert.deepEqual(other.decode(other.join(head, payload)), message, what);
            }
            messages.push(message);
            checked++;
          }
          const vectors = (encodings[serializer.name] ?? []).map(({ bytes_hex }) => bytes_hex);
          if (vectors.length === 0) continue;
          const encoded = Buffer.from(serializer.encode(messages[0] as unknown[]) as string);
          assert.ok(
            vectors.includes(encoded.toString("hex")) ||
              vectors.some((hex) => hex.length === encoded.length * 2),
            `${path}: ${description} in ${serializer.name} became ${encoded.toString("hex")}`,
          );
        }
        for (const message of messages) assert.deepEqual(message, messages[0], path);
      }
    }
    assert.ok(checked > 100, `only ${checked} vectors were found`);
  },
);
