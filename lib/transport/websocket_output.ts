import type { Connections } from "./transport.ts";
import { FrameEncoder, maskedFrameBytes, opcodes } from "./websocket_frames.ts";

/** There is a stream that takes bytes. */
const isAttached = 1;
/** The stream took fewer bytes than offered; its `drain` follows. */
const isBlocked = 2;
/** A send was cut short: the caller has to hear `drain`. */
const isOwed = 4;

/** Frames are gathered into writes of about this size. */
const batchBytes = 65536;

/**
 * The sending half of many connections: messages become masked frames, which leave in as few writes
 * as they can. A frame of which the stream took only a part is completed from a copy of its rest,
 * so that the messages accepted are always whole ones.
 *
 * 1 byte a connection; a buffer only while a stream is blocked in the middle of a frame or with
 * a pong or close frame waiting.
 */
export class FrameOutput {
  readonly #streams: Connections;
  readonly #flags: Uint8Array;
  readonly #encoder = new FrameEncoder(batchBytes);
  readonly #held = new Map<number, Uint8Array>();
  /** Payloads of pongs that wait for their streams. */
  readonly #pongs = new Map<number, Uint8Array>();

  constructor(streams: Connections, capacity: number) {
    this.#streams = streams;
    this.#flags = new Uint8Array(capacity);
  }

  /** The connection has a stream from now on. */
  attach(id: number): void {
    this.#flags[id] = isAttached;
  }

  /** The stream is gone, and with it what was held for it. */
  detach(id: number): void {
    this.#flags[id] = 0;
    if (this.#held.size > 0) this.#held.delete(id);
    if (this.#pongs.size > 0) this.#pongs.delete(id);
  }

  /**
   * Sends `length / messageBytes` messages with this opcode.
   *
   * @returns how many bytes of them were accepted, always whole messages.
   */
  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
    opcode: number,
  ): number {
    // A message of no bytes cannot be offered again: it waits behind what is held.
    if (messageBytes === 0) {
      this.#frame(id, opcode, bytes.subarray(0, 0));
      return 0;
    }
    const flags = this.#flags[id]!;
    if (flags !== isAttached) {
      if (flags & isBlocked) this.#flags[id] = flags | isOwed;
      return 0;
    }
    const frameBytes = maskedFrameBytes(messageBytes);
    const perWrite = Math.max(1, Math.floor(batchBytes / frameBytes)) * messageBytes;
    const end = offset + length - length % messageBytes;
    const encoder = this.#encoder;
    for (let at = offset; at < end;) {
      const batchEnd = Math.min(at + perWrite, end);
      encoder.clear();
      for (let next = at; next < batchEnd; next += messageBytes) {
        encoder.append(opcode, bytes, next, messageBytes);
      }
      const written = this.#streams.send(id, encoder.bytes, 0, encoder.length, encoder.length);
      if (written < encoder.length) {
        return at - offset +
          this.#cutShort(id, written, frameBytes, messageBytes, end - at);
      }
      at = batchEnd;
    }
    return end - offset;
  }

  /** @returns how many bytes of the messages count as accepted. */
  #cutShort(
    id: number,
    written: number,
    frameBytes: number,
    messageBytes: number,
    offered: number,
  ): number {
    const whole = Math.floor(written / frameBytes);
    if (this.#flags[id] === 0) return whole * messageBytes; // closed meanwhile
    const begun = Math.ceil(written / frameBytes);
    if (begun > whole) this.#held.set(id, this.#encoder.bytes.slice(written, begun * frameBytes));
    const accepted = begun * messageBytes;
    this.#flags[id]! |= accepted < offered ? isBlocked | isOwed : isBlocked;
    return accepted;
  }

  /**
   * Answers a ping. While the stream is blocked the last answer waits and replaces the one before
   * (RFC 6455 5.5.3), so that a peer that pings and does not read costs little.
   */
  pong(id: number, payload: Uint8Array): void {
    const flags = this.#flags[id]!;
    if (flags & isBlocked) this.#pongs.set(id, payload.slice());
    else this.#frame(id, opcodes.pong, payload);
  }

  /** Sends a close frame behind all that was accepted. Nothing may be sent after it. */
  close(id: number, payload: Uint8Array): void {
    if (this.#pongs.size > 0) this.#pongs.delete(id);
    this.#frame(id, opcodes.close, payload);
  }

  /** Sends one frame, behind what is held where the stream is blocked. */
  #frame(id: number, opcode: number, payload: Uint8Array): void {
    this.#encoder.clear();
    this.#encoder.append(opcode, payload, 0, payload.length);
    this.write(id, this.#encoder.bytes, this.#encoder.length);
  }

  /** Sends `bytes[0, length)` as they are. What the stream does not take is copied and held. */
  write(id: number, bytes: Uint8Array, length: number): void {
    const flags = this.#flags[id]!;
    if (flags === 0) return;
    const written = flags & isBlocked ? 0 : this.#streams.send(id, bytes, 0, length, length);
    if (written === length || this.#flags[id] === 0) return;
    this.#flags[id]! |= isBlocked;
    const held = this.#held.get(id);
    const heldBytes = held === undefined ? 0 : held.length;
    const grown = new Uint8Array(heldBytes + length - written);
    if (held !== undefined) grown.set(held);
    grown.set(bytes.subarray(written, length), heldBytes);
    this.#held.set(id, grown);
  }

  /** Whether the stream takes nothing at the moment. */
  isBlocked(id: number): boolean {
    return (this.#flags[id]! & isBlocked) !== 0;
  }

  /** The stream takes bytes again. @returns whether it still does after what was held for it. */
  drained(id: number): boolean {
    this.#flags[id]! &= ~isBlocked;
    const held = this.#held.get(id);
    if (held !== undefined) {
      const written = this.#streams.send(id, held, 0, held.length, held.length);
      if (this.#flags[id] === 0) return false; // closed meanwhile
      if (written < held.length) {
        this.#flags[id]! |= isBlocked;
        this.#held.set(id, held.subarray(written));
        return false;
      }
      this.#held.delete(id);
    }
    const pong = this.#pongs.get(id);
    if (pong !== undefined) {
      this.#pongs.delete(id);
      this.#frame(id, opcodes.pong, pong);
    }
    return (this.#flags[id]! & (isAttached | isBlocked)) === isAttached;
  }

  /** Whether the caller is owed a `drain`; it no longer is after the call. */
  takeOwed(id: number): boolean {
    const flags = this.#flags[id]!;
    this.#flags[id] = flags & ~isOwed;
    return (flags & isOwed) !== 0;
  }
}
