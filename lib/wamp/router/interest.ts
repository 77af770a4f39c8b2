/**
 * How many clients of this router want a subscription or registration, and whether other routers
 * know: until they do, nobody joins who could rely on it.
 */
export class Interest {
  #count = 0;
  #known: Promise<string | undefined> | undefined;
  #refusal: string | undefined;

  /** Clients, with those that wait until other routers know. */
  get count(): number {
    return this.#count;
  }

  /** Whether clients wait until other routers know. */
  get isWaiting(): boolean {
    return this.#known !== undefined;
  }

  /**
   * One client more.
   *
   * @param announce tells other routers, where this is the first client; settles when they know, with
   * the URI of the error where one of them refuses it.
   * @param join is called as soon as they do: at once, or later.
   */
  add(
    announce: () => Promise<string | undefined> | undefined,
    join: (refusal: string | undefined) => void,
  ): void {
    if (this.#count++ === 0) {
      this.#refusal = undefined;
      const known = announce()?.then((refusal) => {
        // Not what was announced anew since.
        if (this.#known !== known) return refusal;
        this.#known = undefined;
        return this.#refusal ?? refusal;
      });
      this.#known = known;
    }
    if (this.#known === undefined) join(undefined);
    else void this.#known.then(join);
  }

  /** Refuses those that wait. */
  refuse(uri: string): void {
    this.#refusal = uri;
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
