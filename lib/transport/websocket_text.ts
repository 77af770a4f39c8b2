const firstBytes = 4096;
/** Longer texts are rare enough to have memory of their own. */
const longestKept = 65536;

/** Text messages as the engine passes them, strings, and as everybody else does, UTF-8. */
export class TextMessages {
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #buffer = new Uint8Array(firstBytes);

  /** @returns the UTF-8 of a text, good until the next call. */
  encode(text: string): Uint8Array {
    // A UTF-16 unit is at most 3 bytes.
    if (text.length * 3 > this.#buffer.length) {
      if (text.length > longestKept) return this.#encoder.encode(text);
      this.#buffer = new Uint8Array(text.length * 6);
    }
    const { written } = this.#encoder.encodeInto(text, this.#buffer);
    return this.#buffer.subarray(0, written);
  }

  decode(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes);
  }
}
