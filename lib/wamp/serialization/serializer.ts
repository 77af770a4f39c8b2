import type { Payload } from "./payload.ts";

export type SerializerName = "json" | "msgpack" | "cbor";

/** A serialized message: text in JSON, bytes in the others. */
export type Encoded = string | Uint8Array;

/** A message whose arguments are still serialized. */
export interface OpenedMessage {
  /** The elements before the arguments. */
  readonly head: readonly unknown[];
  readonly payload: Payload;
}

/**
 * How messages become bytes. Values are those of JavaScript: bytes are `Uint8Array`, integers beyond
 * 2^53 are `bigint`, dictionaries plain objects; JSON carries bytes as the specification says (base64
 * with NUL before it).
 */
export interface Serializer {
  readonly name: SerializerName;
  /** Its place among the serializers, from 0: an index for tables. */
  readonly index: 0 | 1 | 2;
  /** The number that stands for it in the handshake of rawsocket. */
  readonly rawSocketId: 1 | 2 | 3;
  /** Whether messages are bytes. */
  readonly isBinary: boolean;

  /**
   * A whole message with its values.
   *
   * @throws {ProtocolViolation} what came is not a list in this serialization.
   */
  decode(frame: Encoded): unknown[];

  /**
   * A message whose arguments stay as they are, for passing on. Their structure is checked.
   *
   * @throws {ProtocolViolation} what came is not a list in this serialization.
   */
  open(frame: Encoded): OpenedMessage;

  /** A whole message from values. */
  encode(message: readonly unknown[]): Encoded;

  /** A message from the elements before the arguments, and arguments as they came. */
  join(head: readonly unknown[], payload: Payload): Encoded;

  /**
   * The elements of a payload as values.
   *
   * @throws {ProtocolViolation} they are not values in this serialization.
   */
  decodeValues(raw: Encoded, count: number): unknown[];

  /** Values one after the other, as they stand in a message. */
  encodeValues(values: readonly unknown[]): Encoded;
}
