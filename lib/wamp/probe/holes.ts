/** One range of counters that have not come, from the first to before the last. */
export interface Hole {
  from: number;
  to: number;
}

/** More holes than these are not listed: memory stays bounded whatever a router drops. */
const mostHoles = 2 ** 20;

const noHoles: readonly Hole[] = [];

/** What has not come, by pair of subscriber and publisher. A hole costs about 100 bytes. */
export class Holes {
  readonly #byPair = new Map<number, Hole[]>();
  #count = 0;

  of(pair: number): readonly Hole[] {
    return this.#byPair.get(pair) ?? noHoles;
  }

  [Symbol.iterator](): Iterator<[number, readonly Hole[]]> {
    return this.#byPair[Symbol.iterator]();
  }

  /** Returns whether there was room for it. */
  add(pair: number, from: number, to: number): boolean {
    if (this.#count >= mostHoles) return false;
    this.#count++;
    const holes = this.#byPair.get(pair);
    if (holes === undefined) this.#byPair.set(pair, [{ from, to }]);
    else holes.push({ from, to });
    return true;
  }

  /** Takes a counter out; returns whether it was in a hole. */
  fill(pair: number, counter: number): boolean {
    const holes = this.#byPair.get(pair);
    if (holes === undefined) return false;
    const index = holes.findIndex(({ from, to }) => counter >= from && counter < to);
    if (index < 0) return false;
    const hole = holes[index]!;
    if (counter === hole.from) hole.from++;
    else if (counter === hole.to - 1) hole.to--;
    else {
      this.#count++;
      holes.splice(index + 1, 0, { from: counter + 1, to: hole.to });
      hole.to = counter;
    }
    if (hole.from < hole.to) return true;
    this.#count--;
    holes.splice(index, 1);
    if (holes.length === 0) this.#byPair.delete(pair);
    return true;
  }
}
