/**
 * Hands out the lowest free ids, so that they stay below the number in use at once. A bit an id;
 * taking one scans from the lowest word that may have a free bit, which is O(1) amortised while
 * connections come and go.
 */
export class FreeIds {
  /** A set bit is a free id. */
  #words = new Uint32Array(32).fill(0xffffffff);
  #firstWord = 0;
  #used = 0;

  /** How many ids are in use. */
  get used(): number {
    return this.#used;
  }

  take(): number {
    let word = this.#firstWord;
    while (word < this.#words.length && this.#words[word] === 0) word++;
    if (word === this.#words.length) {
      const grown = new Uint32Array(this.#words.length * 2).fill(0xffffffff);
      grown.set(this.#words);
      this.#words = grown;
    }
    const free = this.#words[word]!;
    const bit = 31 - Math.clz32(free & -free);
    this.#words[word] = (free & ~(1 << bit)) >>> 0;
    this.#firstWord = word;
    this.#used++;
    return word * 32 + bit;
  }

  release(id: number): void {
    const word = id >>> 5;
    this.#words[word] = (this.#words[word]! | (1 << (id & 31))) >>> 0;
    if (word < this.#firstWord) this.#firstWord = word;
    this.#used--;
  }
}
