import { errorOf } from "../../errors.ts";
import type { Bytes } from "./bytes.ts";
import { handDirectly, type MessageSource } from "./direct_messages.ts";
import type { Stream, StreamCloseEvent, StreamMessageEvent } from "./libp2p_types.ts";

/** A stream whose bytes break its protocol. The stream is given up; the node goes on. */
export class MalformedStreamError extends Error {
  override readonly name = "MalformedStreamError";
}

/** Who reads a stream. */
export interface StreamConsumer {
  /**
   * Bytes that came, in one piece, which stays valid. What it throws ends the stream: the peer
   * sees a reset, and {@linkcode StreamConsumer.ended} is called with it.
   */
  piece(bytes: Uint8Array): void;
  /**
   * Called once, when nothing more comes.
   *
   * @param failure why it ended although the peer had not closed its writing half: a reset, a lost
   * connection, bytes that break the protocol. Nothing where the peer closed it.
   */
  ended(failure: Error | undefined): void;
}

/**
 * Reads a stream to its end, whatever of it has come already: a query and its end may arrive in the
 * same segment as the negotiation, before anyone can listen, and their events are over by then. (The
 * stream's own async iterator waits for them for ever.)
 *
 * Costs one object and four listeners a stream.
 */
export function readStream(stream: Stream, consumer: StreamConsumer): void {
  new StreamReader(stream, consumer).start();
}

const eventTypes = ["message", "remoteCloseWrite", "end", "close"] as const;

class StreamReader {
  /** The peer closed its half, as opposed to all that ends a stream otherwise. */
  private isClosedByPeer: boolean;
  private hasEnded = false;

  constructor(private readonly stream: Stream, private readonly consumer: StreamConsumer) {
    this.isClosedByPeer = stream.status === "open" && stream.remoteWriteStatus === "closed";
  }

  start(): void {
    const { stream } = this;
    for (const type of eventTypes) stream.addEventListener(type, this);
    handDirectly(stream as unknown as MessageSource, (bytes) => this.read(bytes));
    if (stream.readBufferLength > 0) return;
    if (stream.readableEnded || this.isClosedByPeer || stream.status !== "open") this.end();
  }

  /** The one listener of all events. */
  handleEvent(event: Event): void {
    if (this.hasEnded) return;
    switch (event.type) {
      case "message":
        this.read((event as StreamMessageEvent).data);
        break;
      case "remoteCloseWrite":
        this.isClosedByPeer = true;
        break;
      case "end":
        // Every other end is followed by a close, which knows the reason.
        if (this.isClosedByPeer && this.stream.readBufferLength === 0) this.end();
        break;
      default:
        this.end((event as StreamCloseEvent).error);
    }
  }

  private read(data: Bytes): void {
    try {
      if (data instanceof Uint8Array) this.consumer.piece(data);
      else for (const piece of data) this.consumer.piece(piece);
    } catch (thrown) {
      const failure = errorOf(thrown);
      this.isClosedByPeer = false;
      this.end(failure);
      this.stream.abort(failure);
      return;
    }
    // Where the end came before anyone listened, it is not announced again.
    if (this.isClosedByPeer && this.stream.readBufferLength === 0) this.end();
  }

  private end(failure?: Error): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const type of eventTypes) this.stream.removeEventListener(type, this);
    if (this.isClosedByPeer) this.consumer.ended(undefined);
    else this.consumer.ended(failure ?? new Error(`the stream is ${this.stream.status}`));
  }
}
