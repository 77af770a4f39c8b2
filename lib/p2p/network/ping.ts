import { randomBytes } from "node:crypto";
import { errorOf } from "../../errors.ts";
import type { Connection, Stream, StreamMessageEvent } from "./libp2p_types.ts";

/** https://github.com/libp2p/specs/blob/master/ping/ping.md */
export const pingProtocol = "/ipfs/ping/1.0.0";

const payloadBytes = 32;

/** Between two pings of a connection, as rust-libp2p does it. */
export const pingEveryMs = 15_000;

/** A ping that takes longer has failed. */
const pingTimeoutMs = 20_000;

/**
 * A connection on which no ping has been answered for this long is dead: the peer, or the path to it,
 * is gone without a word. Patient, since a busy peer answers late.
 */
const deadAfterMs = 120_000;

/**
 * Pings one connection over one stream that stays open, with the monotonic clock in nanoseconds
 * (the client of `@libp2p/ping` counts whole milliseconds, and opens a stream for each).
 */
export class Pinger {
  private stream: Stream | undefined;
  private expected: Uint8Array = new Uint8Array(0);
  private readonly received = new Uint8Array(payloadBytes);
  private receivedBytes = 0;
  private sentAtNs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;
  /** When the peer last answered; pings that it does not speak tell nothing. */
  private answeredAt = performance.now();

  constructor(
    private readonly connection: Connection,
    private readonly answered: (rttNs: number) => void,
  ) {
    this.schedule(0);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.stream?.abort(new Error("the connection is pinged no longer"));
  }

  private schedule(ms: number): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ping(), ms);
    this.timer.unref?.();
  }

  private async ping(): Promise<void> {
    if (this.stopped || this.connection.status !== "open") return;
    try {
      const stream = this.stream ?? await this.open();
      if (this.stopped) return this.stop();
      this.expected = randomBytes(payloadBytes);
      this.receivedBytes = 0;
      this.sentAtNs = Bun.nanoseconds();
      stream.send(this.expected);
      // A peer that does not answer gets another stream; one that is gone shows elsewhere.
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.fail(new Error("ping timed out")), pingTimeoutMs);
      this.timer.unref?.();
    } catch (error) {
      this.fail(error);
    }
  }

  private async open(): Promise<Stream> {
    const stream = await this.connection.newStream(pingProtocol, {
      signal: AbortSignal.timeout(pingTimeoutMs),
    });
    stream.addEventListener("message", (event) => this.onMessage(stream, event));
    stream.addEventListener("close", () => {
      if (this.stream !== stream) return;
      this.stream = undefined;
      this.schedule(pingEveryMs);
    });
    this.stream = stream;
    return stream;
  }

  private onMessage(stream: Stream, { data }: StreamMessageEvent): void {
    const now = Bun.nanoseconds();
    const bytes = data.subarray();
    if (this.receivedBytes + bytes.byteLength > payloadBytes) {
      this.fail(new Error("a ping came back with more bytes than it went with"));
      return;
    }
    this.received.set(bytes, this.receivedBytes);
    this.receivedBytes += bytes.byteLength;
    if (this.receivedBytes < payloadBytes || stream !== this.stream) return;
    if (!Buffer.from(this.received).equals(this.expected)) {
      this.fail(new Error("a ping came back with other bytes than it went with"));
      return;
    }
    this.answeredAt = performance.now();
    this.answered(now - this.sentAtNs);
    this.schedule(pingEveryMs);
  }

  private fail(cause: unknown): void {
    const stream = this.stream;
    this.stream = undefined;
    stream?.abort(errorOf(cause));
    if (cause instanceof Error && cause.name === "UnsupportedProtocolError") {
      this.answeredAt = performance.now();
    }
    if (performance.now() - this.answeredAt > deadAfterMs) {
      this.connection.abort(new Error("the peer has answered no ping for 120 s"));
      return;
    }
    this.schedule(pingEveryMs);
  }
}
