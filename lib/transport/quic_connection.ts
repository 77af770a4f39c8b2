import type { Failure } from "../stats/failure.ts";
import { abortClose, orderlyClose } from "./quic_failure.ts";
import {
  drainable,
  type NativeClose,
  type NativeSession,
  type NativeStream,
  type NativeWriter,
} from "./quic_native.ts";
import type { ConnectionHandlers } from "./transport.ts";

/** Largest payload of a datagram: what lsquic fits into a packet of 1,200 bytes. */
export const maxDatagramBytes = 1150;

/** Bytes that `send` accepts before the network has taken any; the window that a sender can fill. */
const sendBufferBytes = 64 * 1024;
/** Datagrams that may wait for the congestion window. */
const maxWaitingDatagrams = 1024;
/** More than ever wait, so that the runtime drops none. */
const nativeWaitingDatagrams = 65535;
/** After FIN, how long the peer has to end its side before the session is closed anyway. */
const lingerMs = 1000;
/** And how long that close may wait for the peer's acknowledgements. */
const closeWithinMs = 10_000;
/**
 * The end of a session looks like FIN to whoever reads the stream, and is known a millisecond or
 * two later.
 */
const endIsKnownAfterMs = 10;

// States, as bits.
const isOpen = 1;
/** A send was cut short, and `drain` has to follow. */
const isBlocked = 2;
/** The peer's FIN has come. */
const isEnded = 4;
/** Our FIN has gone out, or goes out after the drain that is awaited. */
const isFinished = 8;
/** This side has asked for the end: nothing more is reported but the close. */
const isAsked = 16;
const isPaused = 32;
/** The close has been reported. */
const isGone = 64;
/** What came last was a datagram, so that answers are datagrams. */
const answersByDatagram = 128;
/** Nothing can be written any more, and the close that says why is on its way. */
const isStopped = 256;

/** The dialer or listener that a connection belongs to. */
export interface QuicOwner {
  readonly handlers: ConnectionHandlers;
  /** Bytes that may come in while reading is paused. */
  readonly maxUnreadBytes: number;
  /** Counts up while time passes; what a connection was last active at is kept in this unit. */
  readonly tick: number;
  /** Asks for `check()` every few milliseconds until that returns false. */
  watch(connection: QuicConnection): void;
  /** The session is gone or given up; `connection.wasOpen` tells how far it came. */
  ended(connection: QuicConnection, failure: Failure | undefined): void;
  /** What a session's error means; without an error, it closed in silence. */
  failureOf(connection: QuicConnection, error: unknown): Failure;
  /** A failure with this kind, said of this connection. */
  named(connection: QuicConnection, text: string, kind: Failure["kind"]): Failure;
}

/**
 * A QUIC connection (RFC 9000) with one bidirectional stream, datagrams (RFC 9221), or both.
 *
 * lsquic, BoringSSL and their wrappers take 35 to 80 KB of it, this object and the loop that reads
 * the stream about 1 KB.
 *
 * The runtime reads whatever comes and grants the peer new credit for it, whether or not anybody
 * takes it: `pause` cannot hold up a peer. What comes in meanwhile is kept up to `maxUnreadBytes`;
 * above that the connection is ended, so that memory stays bounded.
 */
export class QuicConnection {
  /** -1 where a listener has not let it in yet. */
  id: number;
  readonly #owner: QuicOwner;
  #state = 0;
  #session: NativeSession | undefined;
  #stream: NativeStream | undefined;
  #writer: NativeWriter | undefined;
  #read: (() => void) | undefined;
  #drains: Promise<unknown> | undefined;
  /** When patience with the peer's end of an orderly close is over; 0: it is not awaited. */
  #lingersUntilMs = 0;
  #isClosing = false;
  #datagramsAccepted = 0;
  #datagramsSent = 0;
  /** The owner's tick at which something last moved. */
  activeAt: number;
  /** Packets that had come in when they were last counted, and the tick of the last new one. */
  packetsHeard = 0n;
  heardAt: number;

  constructor(owner: QuicOwner, id: number) {
    this.#owner = owner;
    this.id = id;
    this.activeAt = owner.tick;
    this.heardAt = owner.tick;
  }

  get session(): NativeSession | undefined {
    return this.#session;
  }
  get isGone(): boolean {
    return (this.#state & isGone) !== 0;
  }
  /** Was reported as open. */
  get wasOpen(): boolean {
    return (this.#state & isOpen) !== 0;
  }

  /** The native session is there; its handshake follows. */
  attach(session: NativeSession): void {
    if (this.isGone) return session.destroy(undefined, abortClose);
    this.#session = session;
    connectionOfSession.set(session, this);
    session.closed.then(
      () => this.#sessionClosed(undefined),
      (error) => this.#sessionClosed(error),
    );
  }

  /** Dialer: opens the stream, and calls `then` when there is one. */
  openStream(then: () => void): void {
    this.#session!.createBidirectionalStream({ highWaterMark: sendBufferBytes }).then(
      (stream) => {
        if (this.isGone) return;
        this.takeStream(stream);
        then();
      },
      // The session is ending, which says why, or the runtime has no stream left for it.
      (error) => this.#afterwards(() => this.fail(this.#owner.failureOf(this, error), abortClose)),
    );
  }

  /** The connection counts as open from now on. */
  open(): void {
    const session = this.#session!;
    session.maxPendingDatagrams = nativeWaitingDatagrams;
    this.#state |= isOpen;
    this.activeAt = this.heardAt = this.#owner.tick;
  }

  /** The stream of this connection: the one that this side opened, or the peer's first. */
  takeStream(stream: NativeStream): void {
    if (this.isGone || this.#stream !== undefined || stream.direction !== "bidi") {
      return stream.destroy();
    }
    stream.highWaterMark = sendBufferBytes;
    this.#stream = stream;
    this.#writer = stream.writer;
    if (this.#state & isAsked) this.#finishStream();
    void this.#readStream(stream);
  }

  takeDatagram(bytes: Uint8Array): void {
    if ((this.#state & (isOpen | isAsked | isGone)) !== isOpen) return;
    this.#state |= answersByDatagram;
    this.activeAt = this.#owner.tick;
    this.#owner.handlers.data(this.id, bytes, false);
  }

  send(bytes: Uint8Array, offset: number, length: number, messageBytes: number): number {
    const state = this.#state;
    if ((state & (isOpen | isBlocked | isStopped | isFinished | isAsked | isGone)) !== isOpen) {
      return 0;
    }
    const writer = this.#writer;
    if (writer === undefined || state & answersByDatagram) {
      return this.#sendDatagrams(bytes, offset, length, messageBytes);
    }
    const room = writer.desiredSize;
    if (room === null) {
      this.#state |= isStopped;
      this.#afterwards(() => this.#peerStopped("the peer has stopped reading (STOP_SENDING)"));
      return 0;
    }
    let accepted = Math.min(room, length);
    if (accepted > 0) {
      const isWhole = offset === 0 && accepted === bytes.length;
      // The runtime copies before it returns.
      const piece = isWhole ? bytes : bytes.subarray(offset, offset + accepted);
      if (writer.writeSync(piece)) this.activeAt = this.#owner.tick;
      else accepted = 0;
    }
    if (accepted < length) this.#block(writer);
    return accepted;
  }

  #sendDatagrams(bytes: Uint8Array, offset: number, length: number, messageBytes: number): number {
    const session = this.#session!;
    const limitBytes = session.maxDatagramSize;
    if (messageBytes > limitBytes) {
      const text = `a datagram of ${messageBytes} bytes is above the peer's limit of ${limitBytes}`;
      this.fail(this.#owner.named(this, text, "protocol"), orderlyClose);
      return 0;
    }
    let accepted = 0;
    while (accepted < length && this.#hasRoomForDatagram(session)) {
      const start = offset + accepted;
      const end = Math.min(start + messageBytes, offset + length);
      // It fits and the session is open, so that nothing can be left to report.
      session.sendDatagram(bytes.subarray(start, end)).catch(ignore);
      this.#datagramsAccepted++;
      accepted = end - offset;
    }
    if (accepted > 0) this.activeAt = this.#owner.tick;
    if (accepted < length) {
      this.#state |= isBlocked;
      this.#owner.watch(this);
    }
    return accepted;
  }

  #hasRoomForDatagram(session: NativeSession): boolean {
    if (this.#datagramsAccepted - this.#datagramsSent < maxWaitingDatagrams) return true;
    this.#datagramsSent = Number(session.stats.datagramsSent);
    return this.#datagramsAccepted - this.#datagramsSent < maxWaitingDatagrams;
  }

  #block(writer: NativeWriter): void {
    this.#state |= isBlocked;
    if (this.#drains !== undefined) return;
    this.#drains = writer[drainable]() ?? Promise.resolve();
    this.#drains.then(() => this.#drained(), ignore);
  }

  #drained(): void {
    this.#drains = undefined;
    const state = this.#state;
    if (state & isGone) return;
    this.#state = state & ~isBlocked;
    if (state & isFinished) this.#endWriting();
    else if ((state & (isBlocked | isAsked)) === isBlocked) this.#owner.handlers.drain(this.id);
  }

  pause(): void {
    if ((this.#state & (isOpen | isAsked | isGone)) !== isOpen) return;
    this.#state |= isPaused;
    this.#owner.watch(this);
  }

  resume(): void {
    this.#state &= ~isPaused;
    const read = this.#read;
    this.#read = undefined;
    read?.();
  }

  finish(): void {
    const state = this.#state;
    if ((state & (isOpen | isFinished | isAsked | isGone)) !== isOpen) return;
    if (this.#stream === undefined) return; // datagrams have no end
    this.#finishStream();
    if (state & isEnded) this.#linger();
  }

  close(): void {
    const state = this.#state;
    if ((state & isOpen) === 0) return this.terminate();
    if (state & (isAsked | isGone)) return;
    this.#state |= isAsked;
    this.resume();
    if (this.#stream === undefined) return this.#closeSession();
    if ((state & isFinished) === 0) this.#finishStream();
    this.#linger();
  }

  terminate(): void {
    this.end(undefined, abortClose);
  }

  /** Gives the connection up for a reason of its own. */
  fail(failure: Failure, close: NativeClose): void {
    this.end(this.#state & isAsked ? undefined : failure, close);
  }

  /** Ends at once; the peer reads `close`. */
  end(failure: Failure | undefined, close: NativeClose): void {
    if (this.isGone) return;
    this.#state |= isGone;
    this.#session?.destroy(undefined, close);
    this.#report(failure);
  }

  /**
   * Looks after what no event tells about.
   *
   * @returns whether it has to be called again.
   */
  check(nowMs: number): boolean {
    if (this.isGone) return false;
    let isAwaited = false;
    if (this.#state & isPaused) {
      isAwaited = true;
      const unread = Number(this.#stream?.stats.bytesAccumulated ?? 0n);
      if (unread > this.#owner.maxUnreadBytes) {
        const text = `${unread} bytes came in that this side could not read in time`;
        this.fail(this.#owner.named(this, text, "host-memory"), abortClose);
        return false;
      }
    }
    if (this.#state & isBlocked && this.#drains === undefined) {
      if (this.#hasRoomForDatagram(this.#session!)) {
        this.#state &= ~isBlocked;
        if ((this.#state & isAsked) === 0) this.#owner.handlers.drain(this.id);
      } else isAwaited = true;
    }
    if (this.#lingersUntilMs > 0) {
      isAwaited = true;
      if (nowMs > this.#lingersUntilMs) this.#losePatience();
    }
    return isAwaited && !this.isGone;
  }

  #linger(): void {
    this.#state |= isAsked;
    this.#lingersUntilMs = performance.now() + lingerMs;
    this.#owner.watch(this);
  }

  #losePatience(): void {
    if (this.#isClosing) this.end(undefined, orderlyClose);
    else this.#closeSession();
  }

  /** CONNECTION_CLOSE, once the peer has acknowledged all that was accepted. */
  #closeSession(): void {
    this.#state |= isAsked;
    this.#isClosing = true;
    this.#lingersUntilMs = performance.now() + closeWithinMs;
    this.#owner.watch(this);
    this.#session!.close().catch(ignore);
  }

  #finishStream(): void {
    this.#state |= isFinished;
    // While a drain is awaited the runtime takes no FIN; it follows the drain.
    if (this.#drains === undefined) this.#endWriting();
  }

  #endWriting(): void {
    this.#writer!.endSync();
  }

  /** One loop a connection; nothing in it is made for a message but the runtime's own batch. */
  async #readStream(stream: NativeStream): Promise<void> {
    const iterator = stream[Symbol.asyncIterator]();
    for (;;) {
      let result: IteratorResult<Uint8Array[], unknown>;
      try {
        result = await iterator.next();
      } catch {
        return this.#afterwards(() => this.#peerStopped("the peer has reset the stream"));
      }
      if (result.done) return this.#readEnded();
      for (const bytes of result.value) {
        if (this.#state & isPaused) await new Promise<void>((resolve) => this.#read = resolve);
        if (this.#state & isGone) return;
        if (this.#state & isAsked) continue;
        this.#state &= ~answersByDatagram;
        this.activeAt = this.#owner.tick;
        this.#owner.handlers.data(this.id, bytes, false);
      }
    }
  }

  #readEnded(): void {
    this.#afterwards(() => {
      this.#state |= isEnded;
      // Whoever finished first has everything now, and closes.
      if (this.#state & (isFinished | isAsked)) this.#closeSession();
      else this.#owner.handlers.end(this.id);
    });
  }

  #peerStopped(text: string): void {
    if (this.#state & isAsked) return;
    this.fail(this.#owner.named(this, text, "reset"), abortClose);
  }

  /** Acts on the end of something unless it turns out to be the end of the session. */
  #afterwards(act: () => void): void {
    setTimeout(() => {
      if (!this.isGone) act();
    }, endIsKnownAfterMs);
  }

  #sessionClosed(error: unknown): void {
    if (this.isGone) return;
    const isOver = (this.#state & (isEnded | isFinished)) === (isEnded | isFinished);
    const isWanted = this.#state & isAsked || isOver;
    this.#state |= isGone;
    this.#report(isWanted ? undefined : this.#owner.failureOf(this, error));
  }

  #report(failure: Failure | undefined): void {
    this.#read?.();
    this.#owner.ended(this, failure);
  }
}

/** Which connection a native session carries, for callbacks that all sessions share. */
export const connectionOfSession = new WeakMap<NativeSession, QuicConnection>();

function ignore(): void {}
