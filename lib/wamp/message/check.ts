import { checkOptions } from "./check_options.ts";
import { codes, messageName } from "./codes.ts";
import { isId, maxId } from "./id.ts";
import type { ClientMessage, Dict, RouterMessage } from "./message.ts";
import { ProtocolViolation } from "./protocol_violation.ts";
import { shown } from "./shown.ts";

/** What an element of a message is. `request` and `count` may be 0; `tail` may be missing. */
type Field = "code" | "id" | "request" | "text" | "dict" | "tail-dict" | "args" | "kwargs";

const head = {
  request: ["code", "id"],
  options: ["code", "id", "dict"],
} as const satisfies Record<string, readonly Field[]>;

const fieldsOf = new Map<number, readonly Field[]>([
  [codes.hello, ["code", "text", "dict"]],
  [codes.welcome, ["code", "id", "dict"]],
  [codes.abort, ["code", "dict", "text", "args", "kwargs"]],
  [codes.challenge, ["code", "text", "dict"]],
  [codes.authenticate, ["code", "text", "dict"]],
  [codes.goodbye, ["code", "dict", "text"]],
  [codes.error, ["code", "code", "id", "dict", "text", "args", "kwargs"]],
  [codes.publish, [...head.options, "text", "args", "kwargs"]],
  [codes.published, [...head.request, "id"]],
  [codes.subscribe, [...head.options, "text"]],
  [codes.subscribed, [...head.request, "id"]],
  [codes.unsubscribe, [...head.request, "id"]],
  [codes.unsubscribed, ["code", "request", "tail-dict"]],
  [codes.event, [...head.request, "id", "dict", "args", "kwargs"]],
  [codes.call, [...head.options, "text", "args", "kwargs"]],
  [codes.cancel, head.options],
  [codes.result, [...head.options, "args", "kwargs"]],
  [codes.register, [...head.options, "text"]],
  [codes.registered, [...head.request, "id"]],
  [codes.unregister, [...head.request, "id"]],
  [codes.unregistered, ["code", "request", "tail-dict"]],
  [codes.invocation, [...head.request, "id", "dict", "args", "kwargs"]],
  [codes.interrupt, head.options],
  [codes.yield, [...head.options, "args", "kwargs"]],
]);

const fromClient = new Set<number>([
  codes.hello,
  codes.abort,
  codes.authenticate,
  codes.goodbye,
  codes.error,
  codes.publish,
  codes.subscribe,
  codes.unsubscribe,
  codes.call,
  codes.cancel,
  codes.register,
  codes.unregister,
  codes.yield,
]);

const fromRouter = new Set<number>([
  codes.welcome,
  codes.abort,
  codes.challenge,
  codes.goodbye,
  codes.error,
  codes.published,
  codes.subscribed,
  codes.unsubscribed,
  codes.event,
  codes.result,
  codes.registered,
  codes.unregistered,
  codes.invocation,
  codes.interrupt,
]);

/**
 * Checks a message that a client sent, or its head (without arguments): number and kinds of its
 * elements, and its options. URIs are checked where they are used, for that answer is an ERROR.
 *
 * @throws {ProtocolViolation} it is not a message that a client may send.
 */
export function checkClientMessage(message: readonly unknown[]): ClientMessage {
  check(message, fromClient, "a client");
  return message as unknown as ClientMessage;
}

/** The same for a message that a router sent. */
export function checkRouterMessage(message: readonly unknown[]): RouterMessage {
  check(message, fromRouter, "a router");
  return message as unknown as RouterMessage;
}

function check(message: readonly unknown[], allowed: ReadonlySet<number>, sender: string): void {
  const code = message[0];
  if (typeof code !== "number" || !allowed.has(code)) {
    const isKnown = typeof code === "number" && fieldsOf.has(code);
    const what = isKnown ? messageName(code as number) : `a message with code ${shown(code)}`;
    throw new ProtocolViolation(`${what} came, which is not a message of ${sender}`);
  }
  const fields = fieldsOf.get(code)!;
  if (message.length > fields.length) {
    throw new ProtocolViolation(
      `${messageName(code)} came with ${message.length} elements, it has at most ${fields.length}`,
    );
  }
  for (let index = 1; index < fields.length; index++) {
    const field = fields[index]!;
    if (index >= message.length) {
      if (field === "args" || field === "kwargs" || field === "tail-dict") return;
      throw new ProtocolViolation(
        `${messageName(code)} came with ${message.length} elements, too few`,
      );
    }
    const value = message[index];
    if (!isField(field, value)) {
      throw new ProtocolViolation(
        `element ${index} of ${messageName(code)} is ${shown(value)}, expected ${expected[field]}`,
      );
    }
    if (field === "dict") checkOptions(code, value as Dict);
  }
}

const expected: Readonly<Record<Field, string>> = {
  code: "the code of a message",
  id: "an integer from 1 to 2^53",
  request: "an integer from 0 to 2^53",
  text: "a string",
  dict: "a dictionary",
  "tail-dict": "a dictionary",
  args: "a list",
  kwargs: "a dictionary",
};

function isField(field: Field, value: unknown): boolean {
  switch (field) {
    case "id":
      return isId(value);
    case "request":
    case "code":
      return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxId;
    case "text":
      return typeof value === "string";
    case "args":
      // Bytes (in JSON a string with NUL before it): payload transparency mode.
      return Array.isArray(value) || value instanceof Uint8Array ||
        (typeof value === "string" && value.startsWith("\0"));
    default:
      return isDict(value);
  }
}

/** Whether a value is a dictionary: an object that is no list and no bytes. */
export function isDict(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !ArrayBuffer.isView(value);
}
