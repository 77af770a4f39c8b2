import type { Failure } from "../stats/failure.ts";
import { DatagramSender } from "./quic_datagrams.ts";
import { abortClose, orderlyClose } from "./quic_failure.ts";
import type { NativeClose, NativeSession, NativeStream } from "./quic_native.ts";
import { QuicByteStream, sendBufferBytes, type StreamUser } from "./quic_stream.ts";
import type { ConnectionHandlers } from "./transport.ts";

/** After FIN, how long the peer has to end its side before the session is closed anyway. */
const lingerMs = 1000;
/** And how long that close may wait for the peer's acknowledgements. */
const closeWithinMs = 10_000;
/**
 * To whoever reads the stream the end of a session looks like FIN, or like a reset of the stream. It
 * is known a millisecond or two later, but when thousands end at once it takes up to a second or two;
 * a reset that is one is rare and can wait.
 */
const endIsKnownAfterMs = 30;
const resetIsKnownAfterMs = 3000;

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
/** What is sent are datagrams: the caller wants that, or what came last was one. */
const sendsDatagrams = 128;
/** Nothing can be written any more, and the close that says why is on its way. */
const isStopped = 256;
/** What is blocked are datagrams, of which no event tells. */
const awaitsDatagrams = 512;
/** CONNECTION_CLOSE has been asked for. */
const isClosing = 1024;

const oneByte = new Uint8Array(1);

const cannotSend = isBlocked | isStopped | isFinished | isAsked | isGone;

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
 *
 * An orderly close sends FIN and reads on, dropping what comes, until the peer's FIN: a session that
 * ends takes away from the peer what it has not read yet.
 */
export class QuicConnection implements StreamUser {
  /** -1 where a listener has not let it in yet. */
  id: number;
  readonly #owner: QuicOwner;
  #state = 0;
  #session: NativeSession | undefined;
  #stream: QuicByteStream | undefined;
  #datagrams: DatagramSender | undefined;
  /** When patience with the peer's part in an orderly close is over; 0: it is not awaited. */
  #lingersUntilMs = 0;
  /** The owner's tick at which something last moved, last did on a stream, and last came in. */
  activeAt: number;
  streamActiveAt: number;
  receivedAt: number;
  /** Packets that had come in when they were last counted, and when there was last a new one. */
  packetsHeard = 0n;
  heardAtMs = 0;

  constructor(owner: QuicOwner, id: number) {
    this.#owner = owner;
    this.id = id;
    this.activeAt = owner.tick;
    this.streamActiveAt = owner.tick;
    this.receivedAt = owner.tick;
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
      (error) => {
        const fail = () => this.fail(this.#owner.failureOf(this, error), abortClose);
        this.#afterwards(resetIsKnownAfterMs, fail);
      },
    );
  }

  /** The connection counts as open from now on; `datagrams` says that it will never have a stream. */
  open(datagrams: boolean): void {
    this.#datagrams = new DatagramSender(this.#session!);
    this.#state |= datagrams ? isOpen | sendsDatagrams : isOpen;
    this.activeAt = this.receivedAt = this.#owner.tick;
    this.heardAtMs = performance.now();
  }

  /** The stream of this connection: the one that this side opened, or the peer's first. */
  takeStream(native: NativeStream): void {
    if (this.isGone || this.#stream !== undefined || native.direction !== "bidi") {
      return native.destroy();
    }
    const stream = new QuicByteStream(native, this);
    this.#stream = stream;
    if (this.#state & isPaused) stream.pause();
    if (this.#state & (isFinished | isAsked)) stream.finish();
    void stream.read();
    this.drained(); // a listener has nowhere to send to before
  }

  takeDatagram(bytes: Uint8Array): void {
    if ((this.#state & (isOpen | isAsked | isGone)) !== isOpen) return;
    this.#state |= sendsDatagrams;
    this.activeAt = this.receivedAt = this.#owner.tick;
    if (this.#stream === undefined) this.drained();
    this.#owner.handlers.data(this.id, bytes, false);
  }

  received(bytes: Uint8Array): void {
    if ((this.#state & (isOpen | isAsked | isGone)) !== isOpen) return;
    this.#state &= ~sendsDatagrams;
    this.activeAt = this.streamActiveAt = this.receivedAt = this.#owner.tick;
    this.#owner.handlers.data(this.id, bytes, false);
  }

  send(bytes: Uint8Array, offset: number, length: number, messageBytes: number): number {
    const state = this.#state;
    if ((state & (isOpen | cannotSend)) !== isOpen) return 0;
    const accepted = state & sendsDatagrams
      ? this.#sendDatagrams(bytes, offset, length, messageBytes)
      : this.#stream?.write(bytes, offset, length) ?? 0;
    if (accepted < 0) {
      this.#state |= isStopped;
      this.#peerStopped("the peer has stopped reading (STOP_SENDING)");
      return 0;
    }
    if (accepted > 0) {
      this.activeAt = this.#owner.tick;
      if ((state & sendsDatagrams) === 0) this.streamActiveAt = this.activeAt;
    }
    if (accepted < length) this.#state |= isBlocked;
    return accepted;
  }

  #sendDatagrams(bytes: Uint8Array, offset: number, length: number, messageBytes: number): number {
    const datagrams = this.#datagrams!;
    if (messageBytes > datagrams.limitBytes) {
      const text = `a datagram of ${messageBytes} bytes is above the peer's limit of ` +
        `${datagrams.limitBytes}`;
      this.fail(this.#owner.named(this, text, "protocol"), orderlyClose);
      return 0;
    }
    const accepted = datagrams.send(bytes, offset, length, messageBytes);
    if (accepted < length) {
      this.#state |= awaitsDatagrams;
      this.#owner.watch(this);
    }
    return accepted;
  }

  drained(): void {
    if ((this.#state & isBlocked) === 0 || this.isGone) return;
    this.#state &= ~(isBlocked | awaitsDatagrams);
    if ((this.#state & (isFinished | isAsked)) === 0) this.#owner.handlers.drain(this.id);
  }

  pause(): void {
    if ((this.#state & (isOpen | isAsked | isGone)) !== isOpen) return;
    this.#state |= isPaused;
    this.#stream?.pause();
    this.#owner.watch(this);
  }

  resume(): void {
    this.#state &= ~isPaused;
    this.#stream?.resume();
  }

  finish(): void {
    const state = this.#state;
    if ((state & (isOpen | isFinished | isAsked | isGone)) !== isOpen) return;
    if (state & sendsDatagrams && this.#stream === undefined) return; // datagrams have no end
    this.#state |= isFinished;
    this.#stream?.finish();
    if (state & isEnded) this.#linger();
  }

  close(): void {
    const state = this.#state;
    if ((state & isOpen) === 0) return this.terminate();
    if (state & (isAsked | isGone)) return;
    this.#state |= isAsked;
    this.resume();
    if (this.#stream === undefined) return this.#closeSession();
    this.#state |= isFinished;
    this.#stream.finish();
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
   * Sends one byte on a unidirectional stream of its own. lsquic gives a connection up on whose
   * streams nothing has moved for 60 s, whatever PINGs and datagrams come; where it is the server's,
   * it does so on the server's side. Clients of this transport drop such streams unread.
   */
  moveStreams(): void {
    this.streamActiveAt = this.#owner.tick;
    this.#session!.createUnidirectionalStream({ body: oneByte }).catch(() => {}); // it is closing
  }

  /**
   * Looks after what no event tells about.
   *
   * @returns whether it has to be called again.
   */
  check(nowMs: number): boolean {
    if (this.isGone) return false;
    const { maxUnreadBytes } = this.#owner;
    const unreadBytes = this.#state & isPaused ? this.#stream?.unreadBytes ?? 0 : 0;
    if (unreadBytes > maxUnreadBytes) {
      const text =
        `${unreadBytes} bytes came that could not be read, above the ${maxUnreadBytes} ` +
        `that may wait`;
      this.fail(this.#owner.named(this, text, "host-memory"), abortClose);
    } else if (this.#lingersUntilMs > 0 && nowMs > this.#lingersUntilMs) {
      if (this.#state & isClosing) this.end(undefined, orderlyClose);
      else this.#closeSession();
    } else if (this.#state & awaitsDatagrams && this.#datagrams!.hasRoom) {
      this.drained();
    }
    const isAwaited = (this.#state & (isPaused | awaitsDatagrams)) !== 0 ||
      this.#lingersUntilMs > 0;
    return isAwaited && !this.isGone;
  }

  #linger(): void {
    this.#state |= isAsked;
    this.#lingersUntilMs = performance.now() + lingerMs;
    this.#owner.watch(this);
  }

  /** CONNECTION_CLOSE, once the peer has acknowledged all that was accepted. */
  #closeSession(): void {
    this.#state |= isAsked | isClosing;
    this.#lingersUntilMs = performance.now() + closeWithinMs;
    this.#owner.watch(this);
    this.#session!.close().catch(() => {}); // told by `closed`
  }

  readEnded(): void {
    this.#afterwards(endIsKnownAfterMs, () => {
      this.#state |= isEnded;
      // Whoever finished first has everything now, and closes.
      if (this.#state & (isFinished | isAsked)) this.#closeSession();
      else this.#owner.handlers.end(this.id);
    });
  }

  readFailed(): void {
    this.#peerStopped("the peer has reset the stream (RESET_STREAM)");
  }

  #peerStopped(text: string): void {
    this.#afterwards(resetIsKnownAfterMs, () => {
      this.fail(this.#owner.named(this, text, "reset"), abortClose);
    });
  }

  /** Acts on the end of something unless it turns out to be the end of the session. */
  #afterwards(afterMs: number, act: () => void): void {
    setTimeout(() => {
      if (!this.isGone) act();
    }, afterMs);
  }

  #sessionClosed(error: unknown): void {
    if (this.isGone) return;
    const isOver = (this.#state & (isEnded | isFinished)) === (isEnded | isFinished);
    const isWanted = this.#state & isAsked || isOver;
    this.#state |= isGone;
    this.#report(isWanted ? undefined : this.#owner.failureOf(this, error));
  }

  #report(failure: Failure | undefined): void {
    this.#stream?.release();
    // The runtime holds on to a session whose stream can be reached from it.
    this.#session = undefined;
    this.#stream = undefined;
    this.#datagrams = undefined;
    this.#owner.ended(this, failure);
  }
}

/** Which connection a native session carries, for callbacks that all sessions share. */
export const connectionOfSession = new WeakMap<NativeSession, QuicConnection>();
