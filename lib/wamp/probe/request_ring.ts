/** What a request was for. */
export const requestKinds = { none: 0, publish: 1, call: 2 } as const;

/** Told of each request that is given up. */
export type GivenUp = (session: number, slot: number) => void;

const fingerprintBytes = 6;

/**
 * The requests of all sessions that wait for their answers. Requests of a session are numbered one
 * after the other, so that each has its place: its number modulo the length of the session's ring.
 *
 * A place costs 31 bytes.
 */
export class RequestRing {
  readonly length: number;
  readonly kind: Uint8Array;
  readonly intendedNs: Float64Array;
  readonly publisher: Uint32Array;
  /** Of a publication: its counter. */
  readonly counter: Float64Array;
  readonly fingerprint: Uint8Array;
  readonly #request: Float64Array;
  /** Where the oldest request may be, by session, and the one after the newest. */
  readonly #oldest: Float64Array;
  readonly #next: Float64Array;

  /** @param length a power of two. */
  constructor(readonly sessions: number, length: number) {
    this.length = length;
    const slots = sessions * length;
    this.kind = new Uint8Array(slots);
    this.intendedNs = new Float64Array(slots);
    this.publisher = new Uint32Array(slots);
    this.counter = new Float64Array(slots);
    this.fingerprint = new Uint8Array(slots * fingerprintBytes);
    this.#request = new Float64Array(slots);
    this.#oldest = new Float64Array(sessions);
    this.#next = new Float64Array(sessions);
  }

  /** Whether the place of this request is still taken by an older one. */
  isTaken(session: number, request: number): boolean {
    return this.kind[this.#slotOf(session, request)] !== requestKinds.none;
  }

  /** @returns the place, for what else is known of the request. */
  add(session: number, request: number, kind: number, intendedNs: number): number {
    const slot = this.#slotOf(session, request);
    this.kind[slot] = kind;
    this.intendedNs[slot] = intendedNs;
    this.#request[slot] = request;
    if (this.#oldest[session] === this.#next[session]) this.#oldest[session] = request;
    this.#next[session] = request + 1;
    return slot;
  }

  /** The place of a request that waits for an answer; -1: there is none with this number. */
  find(session: number, request: number): number {
    const slot = this.#slotOf(session, request);
    return this.kind[slot] !== requestKinds.none && this.#request[slot] === request ? slot : -1;
  }

  /** It has its answer. */
  free(slot: number): void {
    this.kind[slot] = requestKinds.none;
  }

  /** Gives up what was intended before that instant; Infinity: all. */
  giveUp(session: number, beforeNs: number, givenUp: GivenUp): void {
    const next = this.#next[session]!;
    let oldest = Math.max(this.#oldest[session]!, next - this.length);
    for (; oldest < next; oldest++) {
      const slot = this.find(session, oldest);
      if (slot < 0) continue;
      if (!(this.intendedNs[slot]! < beforeNs)) break;
      givenUp(session, slot);
      this.free(slot);
    }
    this.#oldest[session] = oldest;
  }

  /** The session begins again with request 1. */
  reset(session: number): void {
    this.#oldest[session] = 0;
    this.#next[session] = 0;
  }

  setFingerprint(slot: number, digest: Uint8Array): void {
    for (let i = 0; i < fingerprintBytes; i++) {
      this.fingerprint[slot * fingerprintBytes + i] = digest[i]!;
    }
  }

  hasFingerprint(slot: number, found: unknown): boolean {
    if (!(found instanceof Uint8Array) || found.length !== fingerprintBytes) return false;
    const at = slot * fingerprintBytes;
    return found.every((byte, index) => byte === this.fingerprint[at + index]);
  }

  #slotOf(session: number, request: number): number {
    return session * this.length + (request & (this.length - 1));
  }
}
