/** A payload begins with the intended time, 8 bytes, and the tag of the run, 4 bytes. */
export const payloadHeadBytes = 12;

const poolBytes = 65_536;

/**
 * Payloads: the intended time of the publication on the clock that all processes of the host share (in
 * nanoseconds), the tag of the run, and random bytes. These come out of a pool at changing places: drawing
 * new ones for each would cost more than the message.
 */
export class PayloadMaker {
  readonly #pool: Uint8Array;
  readonly #runTag: number;
  readonly #payloadBytes: number;
  #at = 0;

  constructor(payloadBytes: number, runTag: number) {
    this.#payloadBytes = payloadBytes;
    this.#runTag = runTag;
    this.#pool = new Uint8Array(poolBytes + payloadBytes);
    for (let at = 0; at < this.#pool.length; at += poolBytes) {
      crypto.getRandomValues(this.#pool.subarray(at, at + poolBytes));
    }
  }

  /** The next payload; valid until the next call but for bytes that are written over then. */
  next(sharedNs: number): Uint8Array {
    this.#at = (this.#at + 257) % poolBytes;
    const payload = this.#pool.subarray(this.#at, this.#at + this.#payloadBytes);
    const whole = Math.floor(sharedNs);
    writeUint32(payload, 0, Math.floor(whole / 2 ** 32));
    writeUint32(payload, 4, whole % 2 ** 32);
    writeUint32(payload, 8, this.#runTag);
    return payload;
  }
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
