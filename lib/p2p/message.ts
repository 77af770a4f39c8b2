import type { RefusalReason } from "./snapshot.ts";

/**
 * u64 sender id, u64 message index, u64 seconds and u32 nanoseconds since 1970, u64 payload length;
 * all big-endian. The payload follows.
 */
export const headerBytes = 36;

/** What a header says; filled anew for each message, so that reading allocates nothing. */
export interface MessageHeader {
  sender: number;
  index: number;
  /** The intended instant, by the sender's real-time clock. */
  seconds: number;
  nanoseconds: number;
  payloadBytes: number;
}

export function emptyHeader(): MessageHeader {
  return { sender: 0, index: 0, seconds: 0, nanoseconds: 0, payloadBytes: 0 };
}

/**
 * Reads the header of a whole message.
 *
 * @param header what is filled in; of a refused message, in part.
 * @returns why it is no message; undefined where it is one.
 */
export function readMessage(message: Uint8Array, header: MessageHeader): RefusalReason | undefined {
  if (message.length < headerBytes) return "too_short";
  header.sender = readUint64(message, 0);
  header.index = readUint64(message, 8);
  header.seconds = readUint64(message, 16);
  header.nanoseconds = readUint32(message, 24);
  header.payloadBytes = readUint64(message, 28);
  const payloadBytes = message.length - headerBytes;
  if (header.payloadBytes > payloadBytes) return "truncated";
  if (header.payloadBytes < payloadBytes) return "overlong";
  const isPossible = header.index <= Number.MAX_SAFE_INTEGER && header.nanoseconds < 1e9 &&
    header.seconds <= Number.MAX_SAFE_INTEGER;
  return isPossible ? undefined : "bad_field";
}

/**
 * Writes the header of a message whose length is that of `message`.
 *
 * @throws {RangeError} the message has no room for a header.
 */
export function writeHeader(
  message: Uint8Array,
  sender: number,
  index: number,
  seconds: number,
  nanoseconds: number,
): void {
  if (message.length < headerBytes) {
    throw new RangeError(`a message of ${message.length} bytes has no room for ${headerBytes}`);
  }
  writeUint64(message, 0, sender);
  writeUint64(message, 8, index);
  writeUint64(message, 16, seconds);
  writeUint32(message, 24, nanoseconds);
  writeUint64(message, 28, message.length - headerBytes);
}

/** Rounded beyond 2^53. No DataView: it would be an allocation for each message. */
function readUint64(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * 2 ** 32 + readUint32(bytes, at + 4);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}

function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / 2 ** 32));
  writeUint32(bytes, at + 4, value % 2 ** 32);
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
