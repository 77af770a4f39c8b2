import { packBatch } from "../serialization/batch.ts";
import type { Subprotocol } from "../serialization/subprotocol.ts";

const encoder = new TextEncoder();

/**
 * What sessions send: encoded, batched where that was agreed on, and kept while a connection takes
 * nothing. In a batch goes what is sent within one turn of the event loop.
 */
export class SessionOutput {
  readonly #subprotocol: Subprotocol;
  readonly #transmit: (id: number, bytes: Uint8Array, isText: boolean) => boolean;
  /** What waits for its connection, whole messages of the transport. */
  readonly #waiting = new Map<number, Uint8Array[]>();
  readonly #batches = new Map<number, Uint8Array[]>();
  #isFlushing = false;

  /** @param transmit sends a whole message of the transport or nothing of it; returns which. */
  constructor(
    subprotocol: Subprotocol,
    transmit: (id: number, bytes: Uint8Array, isText: boolean) => boolean,
  ) {
    this.#subprotocol = subprotocol;
    this.#transmit = transmit;
  }

  /** @returns the length of the message in bytes. */
  send(id: number, message: readonly unknown[]): number {
    const { serializer, isBatched } = this.#subprotocol;
    const encoded = serializer.encode(message);
    const bytes = typeof encoded === "string" ? encoder.encode(encoded) : encoded;
    if (isBatched) this.#batch(id, bytes);
    else this.#offer(id, bytes);
    return bytes.length;
  }

  pendingBytes(id: number): number {
    if (this.#waiting.size === 0) return 0;
    return this.#waiting.get(id)?.reduce((sum, { length }) => sum + length, 0) ?? 0;
  }

  /** The connection takes bytes again. */
  drained(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    let sent = 0;
    while (sent < waiting.length && this.#transmit(id, waiting[sent]!, this.#isText)) sent++;
    if (sent === waiting.length) this.#waiting.delete(id);
    else waiting.splice(0, sent);
  }

  /** Sends what is in the batch of a session now. */
  flush(id: number): void {
    const batch = this.#batches.get(id);
    if (batch === undefined) return;
    this.#batches.delete(id);
    this.#offer(id, packBatch(batch));
  }

  forget(id: number): void {
    this.#waiting.delete(id);
    this.#batches.delete(id);
  }

  get #isText(): boolean {
    return !this.#subprotocol.serializer.isBinary;
  }

  #batch(id: number, bytes: Uint8Array): void {
    const batch = this.#batches.get(id);
    if (batch === undefined) this.#batches.set(id, [bytes]);
    else batch.push(bytes);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      for (const each of [...this.#batches.keys()]) this.flush(each);
    });
  }

  #offer(id: number, bytes: Uint8Array): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) waiting.push(bytes);
    else if (!this.#transmit(id, bytes, this.#isText)) this.#waiting.set(id, [bytes]);
  }
}
