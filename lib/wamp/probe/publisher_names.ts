import { type ProbePlan, publishersOf, publishingSessionsOf } from "./plan.ts";

const dot = 0x2e;
const zero = 0x30;

/** Finds the number of a publisher, over all processes, by its name in an event. */
export class PublisherNames {
  readonly #prefix: Uint8Array;
  readonly #clients: number;
  readonly #loops: number;
  /** By process: its sessions that publish, and its first publisher. */
  readonly #sessions: Uint32Array;
  readonly #first: Uint32Array;
  #at = 0;

  constructor(plan: ProbePlan) {
    this.#prefix = new TextEncoder().encode(`${plan.logname}.`);
    this.#clients = plan.clients;
    this.#loops = plan.loops;
    this.#sessions = new Uint32Array(plan.clients);
    this.#first = new Uint32Array(plan.clients);
    for (let client = 0, first = 0; client < plan.clients; client++) {
      this.#sessions[client] = publishingSessionsOf(plan, client);
      this.#first[client] = first;
      first += publishersOf(plan, client);
    }
  }

  /** @returns -1: it is none of this run's. */
  find(bytes: Uint8Array, from: number, end: number): number {
    const prefix = this.#prefix;
    for (let i = 0; i < prefix.length; i++) if (bytes[from + i] !== prefix[i]) return -1;
    this.#at = from + prefix.length;
    const client = this.#number(bytes, end, dot);
    const session = this.#number(bytes, end, dot);
    const loop = this.#number(bytes, end, -1);
    const isKnown = client >= 0 && client < this.#clients && session >= 0 &&
      session < this.#sessions[client]! && loop >= 0 && loop < this.#loops;
    return isKnown ? this.#first[client]! + session * this.#loops + loop : -1;
  }

  /** A number that ends before this character, or with the name. */
  #number(bytes: Uint8Array, end: number, delimiter: number): number {
    const from = this.#at;
    let value = 0;
    for (; this.#at < end; this.#at++) {
      const digit = bytes[this.#at]! - zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (this.#at === from) return -1;
    if (delimiter < 0) return this.#at === end ? value : -1;
    return bytes[this.#at++] === delimiter && this.#at < end + 1 ? value : -1;
  }
}
