import type { Encoded } from "../serialization/serializer.ts";

/** What is kept at most: with 200 bytes an event, some 40,000 of them. */
const maxBytes = 8 * 2 ** 20;

/**
 * The last events sent over a link, numbered from 0. A link that breaks and comes back gets those that
 * it has not received, from here.
 */
export class LinkLog {
  /** Those before `#head` are not kept any more. */
  #events: (Encoded | undefined)[] = [];
  #head = 0;
  /** The number of the event at `#head`. */
  #first = 0;
  #bytes = 0;

  push(event: Encoded): void {
    this.#events.push(event);
    this.#bytes += event.length;
    while (this.#bytes > maxBytes) this.#dropFirst();
  }

  /** @returns the events from that number on; undefined where some of them are not kept any more. */
  from(number: number): readonly Encoded[] | undefined {
    const at = this.#head + number - this.#first;
    if (!Number.isInteger(at) || at < this.#head || at > this.#events.length) return undefined;
    return this.#events.slice(at) as Encoded[];
  }

  #dropFirst(): void {
    this.#bytes -= this.#events[this.#head]!.length;
    this.#events[this.#head] = undefined;
    this.#head++;
    this.#first++;
    if (this.#head < 1024 || this.#head * 2 < this.#events.length) return;
    this.#events = this.#events.slice(this.#head);
    this.#head = 0;
  }
}
