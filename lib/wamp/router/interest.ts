/**
 * How many clients of this router want a subscription or registration, and whether other routers
 * know: until they do, nobody joins who could rely on it.
 */
export class Interest {
  #count = 0;
  #known: Promise<void> | undefined;

  /** Clients, with those that wait until other routers know. */
  get count(): number {
    return this.#count;
  }

  /**
   * One client more.
   *
   * @param announce tells other routers, where this is the first client; settles when they know.
   * @param join is called as soon as they do: at once, or later.
   */
  add(announce: () => Promise<void> | undefined, join: () => void): void {
    if (this.#count++ === 0) {
      const known = announce()?.then(() => {
        // Not what was announced anew since.
        if (this.#known === known) this.#known = undefined;
      });
      this.#known = known;
    }
    if (this.#known === undefined) join();
    else void this.#known.then(join);
  }

  /**
   * One client less.
   *
   * @returns whether it was the last.
   */
  remove(): boolean {
    return --this.#count === 0;
  }
}
