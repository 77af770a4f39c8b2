import { closeCodes } from "./websocket_close.ts";
import {
  closeCodeOf,
  closeFault,
  type FrameFault,
  headerFault,
  textFault,
} from "./websocket_frame_rules.ts";
import { opcodes } from "./websocket_frames.ts";

/**
 * What a parser finds in the bytes of a connection. Any of these may reset the connection it is
 * called for: nothing more is reported then.
 */
export interface FrameReceiver {
  /** A whole message; `payload` is valid during the call only. */
  message(id: number, payload: Uint8Array, isText: boolean): void;
  /** `payload` is valid during the call only. */
  ping(id: number, payload: Uint8Array): void;
  /** A close frame; 1005 where it has no code. The last event of a connection. */
  closeFrame(id: number, code: number, reason: string): void;
  /** The peer broke the protocol; `code` is the one to close with. The last event too. */
  violation(id: number, code: number, detail: string): void;
}

/** Longest header of an unmasked frame: 2 bytes and a length of 64 bits. */
const maxHeaderBytes = 10;
/** First size of the buffer for a message that comes in pieces; it doubles up to what is needed. */
const firstAssemblyBytes = 4096;

/** What comes next on a connection, in `#stage`. */
const atHeader = 0;
const inPayload = 1;
const ended = 2;

/**
 * Parses the frames that servers send (RFC 6455 5.2) on many connections, wherever the stream is
 * split. A message that lies whole in one chunk is passed on without a copy.
 *
 * 26 bytes a connection; a buffer more only while a message or control frame is incomplete, and no
 * larger than twice what has arrived of it.
 */
export class FrameParser {
  readonly #receiver: FrameReceiver;
  readonly #maxMessageBytes: number;
  readonly #stage: Uint8Array;
  /** Bytes of a header that was split, `maxHeaderBytes` apart, and how many there are. */
  readonly #headers: Uint8Array;
  readonly #headerFilled: Uint8Array;
  /** First byte of the frame whose payload is under way, and what is missing of it. */
  readonly #frame: Uint8Array;
  readonly #remaining: Uint32Array;
  /** Opcode of the message that is under way, 0 without one, and what has arrived of it. */
  readonly #messageOpcode: Uint8Array;
  readonly #assembledBytes: Uint32Array;
  /** Counts resets, to notice one that a receiver made. */
  readonly #epoch: Uint32Array;
  readonly #assemblies = new Map<number, Uint8Array>();
  readonly #controls = new Map<number, Uint8Array>();

  /** @param maxMessageBytes a longer message is a violation (1009); at most 4 GiB. */
  constructor(capacity: number, maxMessageBytes: number, receiver: FrameReceiver) {
    this.#receiver = receiver;
    this.#maxMessageBytes = Math.min(maxMessageBytes, 0xffffffff);
    this.#stage = new Uint8Array(capacity);
    this.#headers = new Uint8Array(capacity * maxHeaderBytes);
    this.#headerFilled = new Uint8Array(capacity);
    this.#frame = new Uint8Array(capacity);
    this.#remaining = new Uint32Array(capacity);
    this.#messageOpcode = new Uint8Array(capacity);
    this.#assembledBytes = new Uint32Array(capacity);
    this.#epoch = new Uint32Array(capacity);
  }

  /** Forgets a connection, so that its id can begin again at a frame boundary. */
  reset(id: number): void {
    this.#epoch[id] = this.#epoch[id]! + 1;
    this.#stage[id] = atHeader;
    this.#headerFilled[id] = 0;
    this.#remaining[id] = 0;
    this.#messageOpcode[id] = 0;
    this.#assembledBytes[id] = 0;
    if (this.#assemblies.size > 0) this.#assemblies.delete(id);
    if (this.#controls.size > 0) this.#controls.delete(id);
  }

  /** Takes the next bytes of a connection and reports what they complete. Never throws. */
  receive(id: number, chunk: Uint8Array): void {
    const epoch = this.#epoch[id]!;
    let at = 0;
    while (at < chunk.length && this.#stage[id] !== ended) {
      at = this.#stage[id] === atHeader
        ? this.#header(id, chunk, at)
        : this.#payload(id, chunk, at);
      if (this.#epoch[id] !== epoch) return;
    }
  }

  /** Reads a header at `at` and, where the payload lies whole behind it, that too. */
  #header(id: number, chunk: Uint8Array, at: number): number {
    const available = chunk.length - at;
    let header = chunk;
    let base = at;
    let next = at;
    if (
      this.#headerFilled[id] === 0 && available >= 2 && available >= headerBytes(chunk[at + 1]!)
    ) {
      next += headerBytes(chunk[at + 1]!);
    } else {
      next = this.#collectHeader(id, chunk, at);
      if (next < 0) return chunk.length;
      header = this.#headers;
      base = id * maxHeaderBytes;
    }
    const first = header[base]!;
    const second = header[base + 1]!;
    let length = second & 0x7f;
    if (length === 126) {
      length = (header[base + 2]! << 8) | header[base + 3]!;
    } else if (length === 127) {
      length = readUint32(header, base + 2) * 0x100000000 + readUint32(header, base + 6);
    }
    const fault = headerFault(
      first,
      second,
      length,
      this.#messageOpcode[id] !== 0,
      this.#assembledBytes[id]!,
      this.#maxMessageBytes,
    );
    if (fault !== undefined) {
      this.#refuse(id, fault);
      return chunk.length;
    }

    const opcode = first & 0x0f;
    const end = next + length;
    if (end <= chunk.length) {
      if (opcode >= opcodes.close) {
        this.#controlFrame(id, opcode, chunk.subarray(next, end));
        return end;
      }
      if ((first & 0x80) !== 0 && this.#messageOpcode[id] === 0) {
        this.#message(id, opcode, chunk.subarray(next, end));
        return end;
      }
    }
    this.#stage[id] = inPayload;
    this.#frame[id] = first;
    this.#remaining[id] = length;
    if (opcode >= opcodes.close) this.#controls.set(id, new Uint8Array(length));
    else if (opcode !== opcodes.continuation) this.#messageOpcode[id] = opcode;
    // An empty payload has no bytes of its own that would bring it to its end.
    return length === 0 ? this.#payload(id, chunk, next) : next;
  }

  /** @returns where the payload begins in `chunk`, -1 while the header is incomplete. */
  #collectHeader(id: number, chunk: Uint8Array, at: number): number {
    const base = id * maxHeaderBytes;
    let filled = this.#headerFilled[id]!;
    let next = at;
    while (filled < 2 || filled < headerBytes(this.#headers[base + 1]!)) {
      if (next === chunk.length) {
        this.#headerFilled[id] = filled;
        return -1;
      }
      this.#headers[base + filled++] = chunk[next++]!;
    }
    this.#headerFilled[id] = 0;
    return next;
  }

  /** Takes payload of the frame under way; ends the frame, and with it a message, when complete. */
  #payload(id: number, chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#remaining[id]!, chunk.length - at);
    const remaining = this.#remaining[id]! - count;
    const first = this.#frame[id]!;
    const opcode = first & 0x0f;
    const next = at + count;
    this.#remaining[id] = remaining;
    if (remaining === 0) this.#stage[id] = atHeader;
    if (opcode >= opcodes.close) {
      const payload = this.#controls.get(id)!;
      payload.set(chunk.subarray(at, next), payload.length - remaining - count);
      if (remaining > 0) return next;
      this.#controls.delete(id);
      this.#controlFrame(id, opcode, payload);
      return next;
    }
    const isFinal = (first & 0x80) !== 0;
    this.#assemble(id, chunk, at, count, isFinal ? remaining : Infinity);
    if (remaining > 0 || !isFinal) return next;
    const messageOpcode = this.#messageOpcode[id]!;
    const payload = this.#assemblies.get(id)!.subarray(0, this.#assembledBytes[id]!);
    this.#assemblies.delete(id);
    this.#assembledBytes[id] = 0;
    this.#messageOpcode[id] = 0;
    this.#message(id, messageOpcode, payload);
    return next;
  }

  /**
   * Adds to the message under way. The buffer grows with what arrives, not with what is announced.
   *
   * @param missing how much more the message can have.
   */
  #assemble(id: number, chunk: Uint8Array, at: number, count: number, missing: number): void {
    const assembled = this.#assembledBytes[id]!;
    const total = assembled + count;
    let buffer = this.#assemblies.get(id);
    if (buffer === undefined || total > buffer.length) {
      const size = Math.min(total + missing, Math.max(firstAssemblyBytes, total * 2));
      const grown = new Uint8Array(size);
      if (buffer !== undefined) grown.set(buffer.subarray(0, assembled));
      this.#assemblies.set(id, grown);
      buffer = grown;
    }
    buffer.set(chunk.subarray(at, at + count), assembled);
    this.#assembledBytes[id] = total;
  }

  #message(id: number, opcode: number, payload: Uint8Array): void {
    const isText = opcode === opcodes.text;
    const fault = isText ? textFault(payload) : undefined;
    if (fault !== undefined) return this.#refuse(id, fault);
    this.#receiver.message(id, payload, isText);
  }

  #controlFrame(id: number, opcode: number, payload: Uint8Array): void {
    if (opcode === opcodes.ping) this.#receiver.ping(id, payload);
    else if (opcode === opcodes.close) this.#closeFrame(id, payload);
    // A pong needs no answer (RFC 6455 5.5.3).
  }

  #closeFrame(id: number, payload: Uint8Array): void {
    const fault = payload.length === 0 ? undefined : closeFault(payload);
    if (fault !== undefined) return this.#refuse(id, fault);
    this.#stage[id] = ended;
    if (payload.length === 0) this.#receiver.closeFrame(id, closeCodes.noStatus, "");
    else {
      const reason = new TextDecoder().decode(payload.subarray(2));
      this.#receiver.closeFrame(id, closeCodeOf(payload), reason);
    }
  }

  #refuse(id: number, { code, detail }: FrameFault): void {
    this.#stage[id] = ended;
    this.#receiver.violation(id, code, `the server sent ${detail}`);
  }
}

/** How long a header is, from its second byte. */
function headerBytes(second: number): number {
  const form = second & 0x7f;
  // A masked frame is refused before its key would be read.
  return form < 126 ? 2 : form === 126 ? 4 : 10;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}
