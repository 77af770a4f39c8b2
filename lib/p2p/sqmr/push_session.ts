import type { Stream } from "../network/libp2p_types.ts";
import { writesOf } from "../network/write_joiner.ts";
import type { FrameLog } from "./frame_log.ts";
import { maximumQueuedBytes } from "./session_settings.ts";

/** Bytes that are handed to a stream at once. */
const mostBytesAtOnce = 64 * 1024;

/**
 * One open query, to which every message is a response. It goes through the log at its own pace:
 * what its stream does not take at once waits in the log, not in the stream.
 *
 * A session that has fallen behind by all that may wait gets no more messages until it has caught
 * up, and then the ones from that moment on; where as many again have come meanwhile, it is given up.
 * So a peer that stands still costs neither the others their messages nor this host its memory.
 */
export class PushSession {
  /** Frames before this one have been given to the stream. */
  private given: number;
  /** Frames before this one have left the process. */
  private handedOver: number;
  /** It is to have the frames before this one; all, while it keeps up. */
  private until = Infinity;
  private isBlocked = false;
  private settles = false;
  private ended = false;

  constructor(
    readonly stream: Stream,
    private readonly log: FrameLog,
    private readonly lost: (session: PushSession) => void,
  ) {
    this.given = log.end;
    this.handedOver = log.end;
    stream.addEventListener("drain", this.onDrain);
    stream.addEventListener("close", this.onClose);
  }

  /** Whether the next message is for it; asked once before each. */
  takesNext(bufferSize: number): boolean {
    if (this.until !== Infinity || this.ended) return false;
    const { log, handedOver } = this;
    if (log.end === handedOver) return true;
    return log.end - handedOver < bufferSize &&
      log.bytesBefore(log.end) - log.bytesBefore(handedOver) < maximumQueuedBytes;
  }

  /** The message that comes next is not for it, nor are those after it until it has caught up. */
  fallBehind(bufferSize: number): void {
    if (this.until === Infinity) this.until = this.log.end;
    if (this.log.end - this.until < bufferSize) return;
    this.end();
    this.stream.abort(new Error("the receiver has stood still for too long"));
  }

  /** Gives the stream what it takes. */
  push(): void {
    const { log } = this;
    while (!this.isBlocked && !this.ended) {
      const last = Math.min(log.end, this.until);
      if (this.given >= last) break;
      const frames = log.run(this.given, last, mostBytesAtOnce);
      let takesMore: boolean;
      try {
        takesMore = this.stream.send(log.bytes(this.given, frames));
      } catch {
        this.end();
        return;
      }
      this.given += frames;
      this.isBlocked = !takesMore;
    }
    if (this.given > this.handedOver && !this.isBlocked) this.settleLater();
  }

  /** Gives up what it has not handed over. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.removeEventListener("drain", this.onDrain);
    this.stream.removeEventListener("close", this.onClose);
    this.log.release(this.handedOver, Math.min(this.log.end, this.until), false);
    this.lost(this);
  }

  /** The stream goes on by itself in the next microtask; what it then has left tells how it stands. */
  private readonly onDrain = (): void => queueMicrotask(() => this.resume());

  private readonly onClose = (): void => this.end();

  /** The stream and its connection have got rid of what they held. */
  private resume(): void {
    if (this.ended || this.stream.writableNeedsDrain || this.stream.writeBufferLength > 0) return;
    this.isBlocked = false;
    if (this.given > this.handedOver) this.settleLater();
    this.push();
  }

  /** The connection joins what it is given, and holds it while the socket is full. */
  private settleLater(): void {
    if (this.settles) return;
    const { given } = this;
    this.settles = writesOf(this.stream)?.afterAll((wasTaken) => {
      this.settles = false;
      if (this.ended || !wasTaken) return;
      this.handOver(given);
      if (this.given > given && !this.isBlocked) this.settleLater();
    }) === true;
    if (!this.settles) this.handOver(given);
  }

  /** Frames before this one have left the process. */
  private handOver(end: number): void {
    if (end <= this.handedOver) return;
    const from = this.handedOver;
    this.handedOver = end;
    this.log.release(from, end, true);
    if (this.handedOver < this.until) return;
    this.given = this.log.end;
    this.handedOver = this.log.end;
    this.until = Infinity;
  }
}
