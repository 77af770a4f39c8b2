import { malformed } from "./malformed.ts";

const prefixBytes = 4;

/**
 * Packs messages into one for a batched subprotocol: each behind its length in four bytes
 * (specification, section "Message Batching").
 */
export function packBatch(messages: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const message of messages) length += prefixBytes + message.length;
  const batch = new Uint8Array(length);
  let at = 0;
  for (const message of messages) {
    batch[at] = message.length >>> 24;
    batch[at + 1] = message.length >>> 16;
    batch[at + 2] = message.length >>> 8;
    batch[at + 3] = message.length;
    batch.set(message, at + prefixBytes);
    at += prefixBytes + message.length;
  }
  return batch;
}

/**
 * Calls `take` for each message of a batch, in order.
 *
 * @throws {ProtocolViolation} the batch is empty, or ends within a message.
 */
export function unpackBatch(batch: Uint8Array, take: (message: Uint8Array) => void): void {
  if (batch.length === 0) throw malformed("a batch", "it is empty");
  for (let at = 0; at < batch.length;) {
    if (at + prefixBytes > batch.length) throw malformed("a batch", "it ends within a length");
    const length = batch[at]! * 2 ** 24 + (batch[at + 1]! << 16) + (batch[at + 2]! << 8) +
      batch[at + 3]!;
    at += prefixBytes;
    if (at + length > batch.length) throw malformed("a batch", "it ends within a message");
    take(batch.subarray(at, at + length));
    at += length;
  }
}
