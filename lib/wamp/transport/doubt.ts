import { randomBytes } from "node:crypto";

/** Whoever does not answer a ping for so long, and is still connected, does not know pings. */
const patienceMs = 5000;
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
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #take: (message: T) => void;

  /** @param take what is done with messages that waited. */
  constructor(take: (message: T) => void) {
    this.#take = take;
  }

  /**
   * Begins, or begins again.
   *
   * @returns what the ping has to carry: answers to earlier ones prove nothing.
   */
  begin(): Uint8Array {
    this.#token = randomBytes(8);
    if (!this.isOpen) this.#timer = setTimeout(() => this.#believe(), patienceMs);
    this.isOpen = true;
    return this.#token;
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
