import { Buffer } from "node:buffer";

const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

/**
 * A character for each byte: for keys of maps. A quarter of the time of `Buffer.from(bytes.buffer)`,
 * since a small array gets a buffer of its own only when it is asked for.
 */
export function latin1Text(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.byteLength);
}
