/** Cuts a byte stream into frames of one size; one object a connection. */
export class FixedFrames {
  readonly #rest: Uint8Array;
  #fill = 0;

  constructor(private readonly frameBytes: number) {
    this.#rest = new Uint8Array(frameBytes);
  }

  /** @param take gets each whole frame, as a copy of its own. */
  cut(bytes: Uint8Array, take: (frame: Uint8Array) => void): void {
    let offset = 0;
    while (offset < bytes.length) {
      const length = Math.min(this.frameBytes - this.#fill, bytes.length - offset);
      this.#rest.set(bytes.subarray(offset, offset + length), this.#fill);
      this.#fill += length;
      offset += length;
      if (this.#fill < this.frameBytes) return;
      this.#fill = 0;
      take(this.#rest.slice());
    }
  }
}
