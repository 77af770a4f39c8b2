/**
 * What a parser finds in the bytes of a connection. `bytes` are valid during the call only. Any of
 * these may reset the connection it is called for: nothing more is reported then.
 */
export interface RawSocketReceiver {
  message(id: number, bytes: Uint8Array): void;
  ping(id: number, bytes: Uint8Array): void;
  /** The peer broke the protocol; the last event of a connection. */
  violation(id: number, detail: string): void;
}

const headerBytes = 4;

/**
 * Parses the frames of rawsockets (WAMP specification, section "RawSocket Transport") on many
 * connections, wherever the stream is split. A frame that lies whole in one chunk is passed on
 * without a copy.
 *
 * 4 bytes a connection; a buffer only while a frame is incomplete.
 */
export class RawSocketParser {
  readonly #receiver: RawSocketReceiver;
  readonly #maxMessageBytes: number;
  /** Counts resets, to notice one that a receiver made. */
  readonly #epoch: Uint32Array;
  readonly #partial = new Map<number, { bytes: Uint8Array; filled: number }>();

  constructor(capacity: number, maxMessageBytes: number, receiver: RawSocketReceiver) {
    this.#receiver = receiver;
    this.#maxMessageBytes = maxMessageBytes;
    this.#epoch = new Uint32Array(capacity);
  }

  /** Forgets a connection, so that its id can begin again at a frame boundary. */
  reset(id: number): void {
    this.#epoch[id] = this.#epoch[id]! + 1;
    if (this.#partial.size > 0) this.#partial.delete(id);
  }

  receive(id: number, chunk: Uint8Array): void {
    const epoch = this.#epoch[id]!;
    let at = this.#partial.size > 0 ? this.#complete(id, chunk) : 0;
    while (at < chunk.length && this.#epoch[id] === epoch) {
      const rest = chunk.length - at;
      if (rest < headerBytes) return this.#keep(id, chunk.subarray(at), headerBytes);
      const length = lengthAt(chunk, at);
      if (this.#refuses(id, chunk[at]!, length)) return;
      if (rest < headerBytes + length) {
        return this.#keep(id, chunk.subarray(at), headerBytes + length);
      }
      this.#frame(id, chunk[at]!, chunk.subarray(at + headerBytes, at + headerBytes + length));
      at += headerBytes + length;
    }
  }

  #keep(id: number, bytes: Uint8Array, total: number): void {
    // What is announced need not come: the buffer begins small and grows with what arrives.
    const buffer = new Uint8Array(Math.min(total, Math.max(4096, bytes.length * 2)));
    buffer.set(bytes);
    this.#partial.set(id, { bytes: buffer, filled: bytes.length });
  }

  /** @returns how much of the chunk belongs to the frame that was incomplete. */
  #complete(id: number, chunk: Uint8Array): number {
    const partial = this.#partial.get(id);
    if (partial === undefined) return 0;
    let at = 0;
    if (partial.filled < headerBytes) {
      at = append(partial, chunk, 0, headerBytes);
      if (partial.filled < headerBytes) return at;
    }
    const length = lengthAt(partial.bytes, 0);
    if (this.#refuses(id, partial.bytes[0]!, length)) return chunk.length;
    at += append(partial, chunk, at, headerBytes + length);
    if (partial.filled < headerBytes + length) return at;
    this.#partial.delete(id);
    this.#frame(
      id,
      partial.bytes[0]!,
      partial.bytes.subarray(headerBytes, headerBytes + length),
    );
    return at;
  }

  #refuses(id: number, type: number, length: number): boolean {
    const detail = type > 2
      ? `a frame of the unknown type ${type}`
      : length > this.#maxMessageBytes
      ? `a frame of ${length} bytes, more than the ${this.#maxMessageBytes} allowed`
      : undefined;
    if (detail === undefined) return false;
    this.reset(id);
    this.#receiver.violation(id, `the router sent ${detail}`);
    return true;
  }

  #frame(id: number, type: number, bytes: Uint8Array): void {
    if (type === 0) this.#receiver.message(id, bytes);
    else if (type === 1) this.#receiver.ping(id, bytes);
    // A pong needs no answer.
  }
}

/** Adds what is missing until `total`; returns how many bytes of the chunk that took. */
function append(
  partial: { bytes: Uint8Array; filled: number },
  chunk: Uint8Array,
  at: number,
  total: number,
): number {
  const count = Math.min(total - partial.filled, chunk.length - at);
  if (partial.filled + count > partial.bytes.length) {
    const grown = new Uint8Array(Math.min(total, (partial.filled + count) * 2));
    grown.set(partial.bytes.subarray(0, partial.filled));
    partial.bytes = grown;
  }
  partial.bytes.set(chunk.subarray(at, at + count), partial.filled);
  partial.filled += count;
  return count;
}

/** 24 bits, most significant byte first. */
function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
