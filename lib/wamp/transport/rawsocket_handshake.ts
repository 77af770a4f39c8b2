// Specification, section "RawSocket Transport".

/** The first byte of every handshake: no request of HTTP begins with it. */
export const magic = 0x7f;
export const handshakeBytes = 4;

/** What a router answers to a handshake that it does not take. */
export const handshakeErrors = {
  serializerUnsupported: 1,
  lengthUnacceptable: 2,
  reservedBits: 3,
  tooManyConnections: 4,
} as const;

/** The number that stands for a longest message: 0 is 512 bytes, each one more the double. */
export function lengthExponent(maxMessageBytes: number): number {
  return Math.max(0, Math.min(15, Math.floor(Math.log2(maxMessageBytes)) - 9));
}

/** The longest message that a handshake's number stands for. */
export function longestMessage(exponent: number): number {
  return 2 ** (9 + exponent);
}
