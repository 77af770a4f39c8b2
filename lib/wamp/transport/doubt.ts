import { randomBytes } from "node:crypto";
import type { StandstillWatch } from "./standstill.ts";

/**
 * The end of a connection whose peer has gone shows at once, or in answer to the ping: whoever is still
 * connected after that is slow, or does not know pings.
 */
const patienceMs = 1000;
/** A process that stands still again and again does not begin anew each time: it would never go on. */
const mostBeginnings = 5;
/** More than the kernel can have kept: who sends that much is there. */
const mostBytes = 16 * 2 ** 20;

/**
 * Whether the peer of a connection is still there, after this process has stood still: what comes of it
 * waits until it answers a ping. A peer that has gone leaves first what it sent, then the end of the
 * connection, and has said the same elsewhere meanwhile: that is not to be acted on.
 */
export class Doubt<T extends string | Uint8Array> {
  isOpen = false;
  #token: Uint8Array = new Uint8Array(0);
  #held: T[] = [];
  #bytes = 0;
  #beginnings = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #standstill: Pick<StandstillWatch, "check">;
  readonly #take: (message: T) => void;

  /** @param take what is done with messages that waited. */
  constructor(standstill: Pick<StandstillWatch, "check">, take: (message: T) => void) {
    this.#standstill = standstill;
    this.#take = take;
  }

  /**
   * Begins, or begins again: the process has stood still once more.
   *
   * @returns what the ping has to carry: answers to earlier ones prove nothing.
   */
  begin(): Uint8Array {
    this.#beginnings = this.isOpen ? this.#beginnings + 1 : 1;
    this.isOpen = true;
    if (this.#beginnings > mostBeginnings) return this.#token;
    this.#token = randomBytes(8);
    this.#waitAnew();
    return this.#token;
  }

  #waitAnew(): void {
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      // Time in which the process stood still does not count: it begins again then.
      this.#standstill.check();
      if (this.#timer === timer) this.#believe();
    }, patienceMs);
    this.#timer = timer;
  }

  hold(message: T): void {
    this.#held.push(message);
    this.#bytes += message.length;
    if (this.#bytes > mostBytes) this.#believe();
  }

  /** A pong has come. */
  answered(content: Uint8Array): void {
    if (this.isOpen && Buffer.compare(content, this.#token) === 0) this.#believe();
  }

  /** The connection has ended: what waited is forgotten. */
  end(): void {
    clearTimeout(this.#timer);
    this.isOpen = false;
    this.#held = [];
  }

  #believe(): void {
    clearTimeout(this.#timer);
    this.isOpen = false;
    this.#bytes = 0;
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#take(message);
  }
}
