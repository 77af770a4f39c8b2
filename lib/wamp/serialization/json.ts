import { payloadIndex } from "../message/codes.ts";
import { jsonElementAt } from "./json_scan.ts";
import { malformed } from "./malformed.ts";
import { Payload } from "./payload.ts";
import { fromJsonValue, maxDepth, toJsonValue } from "./portable.ts";
import type { Encoded, OpenedMessage, Serializer } from "./serializer.ts";

/** JSON (RFC 8259). */
export const json: Serializer = {
  name: "json",
  index: 0,
  rawSocketId: 1,
  isBinary: false,

  decode(frame) {
    try {
      const text = textOf(frame);
      return restored(parseList(text), text) as unknown[];
    } catch (error) {
      throw malformed("JSON", error);
    }
  },

  open(frame): OpenedMessage {
    try {
      const text = textOf(frame);
      const message = parseList(text);
      const index = payloadIndex(message[0] as number);
      if (index < 0 || message.length <= index) return { head: message, payload: Payload.empty };
      const values = message.slice(index);
      checkArguments(values);
      const raw = text.slice(jsonElementAt(text, index), text.lastIndexOf("]"));
      message.length = index;
      const payload = Payload.encoded(
        json,
        raw,
        values.length,
        // Digits that a double cannot hold are passed on as text, and only decoded for others.
        restored(values, raw) as unknown[],
      );
      return { head: message, payload };
    } catch (error) {
      throw malformed("JSON", error);
    }
  },

  encode: (message) => JSON.stringify(toJsonValue(message)),

  join(head, payload) {
    const text = JSON.stringify(head);
    return payload.count === 0 ? text : `${text.slice(0, -1)},${payload.encodedFor(json)}]`;
  },

  decodeValues(raw) {
    try {
      const text = `[${textOf(raw)}]`;
      return restored(parseList(text), text) as unknown[];
    } catch (error) {
      throw malformed("JSON", error);
    }
  },

  encodeValues: (values) => JSON.stringify(toJsonValue(values)).slice(1, -1),
};

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(frame: Encoded): string {
  return typeof frame === "string" ? frame : decoder.decode(frame);
}

function parseList(text: string): unknown[] {
  const message: unknown = JSON.parse(text);
  if (!Array.isArray(message)) throw new TypeError("it is not a list");
  return message;
}

/** Values with bytes where a string of NUL and base64 stands for them; NUL can only come escaped. */
function restored(values: unknown[], text: string): unknown {
  return text.includes("\\u0000") ? fromJsonValue(values) : values;
}

function checkArguments(values: readonly unknown[]): void {
  const [args, kwargs = {}] = values;
  const isBytes = typeof args === "string" && args.startsWith("\0");
  const isDict = typeof kwargs === "object" && kwargs !== null && !Array.isArray(kwargs);
  if (!Array.isArray(args) && !isBytes || !isDict || values.length > 2) {
    throw new TypeError("its arguments are not a list and a dictionary");
  }
  checkDepth(values);
}

function checkDepth(value: unknown, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth >= maxDepth) throw new RangeError(`values are nested more than ${maxDepth} deep`);
  if (Array.isArray(value)) {
    for (const member of value) checkDepth(member, depth + 1);
  } else {
    for (const member of Object.values(value)) checkDepth(member, depth + 1);
  }
}
