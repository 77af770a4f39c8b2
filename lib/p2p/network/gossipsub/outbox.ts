import { Uint8ArrayList } from "../bytes.ts";
import type { Connection, Stream } from "../libp2p_types.ts";

/** A published message on its way to several peers. */
export interface Outgoing {
  readonly token: number;
  /** Peers that it has not been handed to. */
  open: number;
  /** Peers whose sockets have it. */
  handed: number;
}

/** What an outbox tells. */
export interface OutboxEvents {
  /** The message has been handed to the socket of this peer, or never will be. */
  done(outgoing: Outgoing, handed: boolean): void;
}

/** Beyond this many bytes waiting for one peer, messages pass it by. */
const mostWaitingBytes = 64 * 1024 * 1024;

/** Waiting bytes are handed on at once beyond this. */
const flushBytes = 128 * 1024;

/** Larger pieces are not copied to join them. */
const joinBytes = 32 * 1024;

/**
 * What goes to one peer. All that is added in one turn of the event loop leaves as one write: one
 * frame of yamux and noise and one system call, instead of one each for every message.
 */
export class Outbox {
  private pieces: Uint8Array[] = [];
  private pieceBytes = 0;
  private addedBytes = 0;
  private closed = false;
  /** Published messages that wait, oldest first, and up to which byte each of them goes. */
  private waiting: Outgoing[] = [];
  private waitingEnds: number[] = [];
  private waitingFirst = 0;

  constructor(
    private readonly raw: Stream,
    /** Whose stream it is. */
    readonly connection: Connection,
    private readonly events: OutboxEvents,
    private readonly flushLater: (outbox: Outbox) => void,
  ) {
    raw.addEventListener("idle", () => this.settle());
    raw.addEventListener("drain", () => setImmediate(() => this.settle()));
    raw.addEventListener("close", () => this.end());
  }

  /** As gossipsub asks for it. */
  get protocol(): string {
    return this.raw.protocol;
  }

  /** Whether so much waits that nothing more is taken. */
  get isFull(): boolean {
    return this.pieceBytes + this.raw.writeBufferLength > mostWaitingBytes;
  }

  get isOpen(): boolean {
    return !this.closed && this.raw.status === "open";
  }

  /** Adds bytes that stay as they are until they have left. */
  add(bytes: Uint8Array, outgoing?: Outgoing): void {
    if (this.closed) {
      if (outgoing !== undefined) this.events.done(outgoing, false);
      return;
    }
    if (this.pieces.length === 0) this.flushLater(this);
    this.pieces.push(bytes);
    this.pieceBytes += bytes.byteLength;
    this.addedBytes += bytes.byteLength;
    if (outgoing !== undefined) {
      this.waiting.push(outgoing);
      this.waitingEnds.push(this.addedBytes);
    }
    if (this.pieceBytes >= flushBytes) this.flush();
  }

  /** Hands all that was added to the stream. */
  flush(): void {
    if (this.pieces.length === 0 || this.closed) return;
    const { pieces } = this;
    this.pieces = [];
    this.pieceBytes = 0;
    try {
      this.raw.send(joined(pieces));
    } catch (cause) {
      this.raw.abort(cause instanceof Error ? cause : new Error(String(cause)));
      this.end();
      return;
    }
    this.settle();
  }

  async close(): Promise<void> {
    this.end();
    try {
      await this.raw.close({ signal: AbortSignal.timeout(1_000) });
    } catch (cause) {
      this.raw.abort(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  /** Tells which messages have left by now. */
  private settle(): void {
    const left = this.addedBytes - this.pieceBytes - this.raw.writeBufferLength;
    const { waiting, waitingEnds } = this;
    while (this.waitingFirst < waiting.length && (waitingEnds[this.waitingFirst] ?? 0) <= left) {
      const outgoing = waiting[this.waitingFirst++];
      if (outgoing !== undefined) this.events.done(outgoing, true);
    }
    if (this.waitingFirst === waiting.length) {
      this.waiting = [];
      this.waitingEnds = [];
      this.waitingFirst = 0;
    } else if (this.waitingFirst > 1_000) {
      waiting.splice(0, this.waitingFirst);
      waitingEnds.splice(0, this.waitingFirst);
      this.waitingFirst = 0;
    }
  }

  private end(): void {
    if (this.closed) return;
    this.closed = true;
    this.pieces = [];
    this.pieceBytes = 0;
    const { waiting, waitingFirst } = this;
    this.waiting = [];
    this.waitingEnds = [];
    this.waitingFirst = 0;
    for (let i = waitingFirst; i < waiting.length; i++) {
      const outgoing = waiting[i];
      if (outgoing !== undefined) this.events.done(outgoing, false);
    }
  }
}

/** Small pieces copied into one, large ones as they are. */
function joined(pieces: readonly Uint8Array[]): Uint8Array | Uint8ArrayList {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const list = new Uint8ArrayList();
  for (let first = 0; first < pieces.length;) {
    const large = pieces[first];
    if (large !== undefined && large.byteLength >= joinBytes) {
      list.append(large);
      first++;
      continue;
    }
    let bytes = 0;
    let last = first;
    for (; last < pieces.length; last++) {
      const length = pieces[last]?.byteLength ?? 0;
      if (length >= joinBytes) break;
      bytes += length;
    }
    const together = new Uint8Array(bytes);
    let at = 0;
    for (; first < last; first++) {
      const piece = pieces[first];
      if (piece === undefined) continue;
      together.set(piece, at);
      at += piece.byteLength;
    }
    list.append(together);
  }
  return list;
}
