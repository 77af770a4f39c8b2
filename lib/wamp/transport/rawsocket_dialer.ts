import type { Failure } from "../../stats/failure.ts";
import { TimedPhases } from "../../transport/timed_phases.ts";
import type {
  ConnectionHandlers,
  Dialer,
  DialSettings,
  Transport,
  TransportTraits,
} from "../../transport/transport.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { RawSocketParser } from "./rawsocket_parser.ts";

/** Phases of a connection. */
const free = 0;
const connecting = 1;
const handshaking = 2;
const open = 3;
/** This side has asked for the end. */
const ending = 4;

/** WAMP specification, section "RawSocket Transport": first byte of both handshakes. */
const magic = 0x7f;
/** Lengths have 24 bits: a receiver can take up to 2^(9 + 15) bytes. */
const mostLengthExponent = 15;
const headerBytes = 4;
const maxMessageBytes = 2 ** 24 - 1;

const frameTypes = { regular: 0, ping: 1, pong: 2 } as const;

const handshakeErrors: Readonly<Record<number, string>> = {
  1: "serializer unsupported",
  2: "maximum message length unacceptable",
  3: "use of reserved bits",
  4: "maximum connection count reached",
};

/**
 * WAMP over rawsocket (specification, section "RawSocket Transport"), the client's side, on the
 * streams of another dialer. One `data` call is one message.
 *
 * A connection costs 11 bytes beside the stream, and what `RawSocketParser` says; a buffer more only
 * while its stream takes no bytes.
 */
export class RawSocketDialer implements Dialer {
  readonly traits: TransportTraits;
  readonly #handlers: ConnectionHandlers;
  readonly #serializer: number;
  readonly #phases: TimedPhases;
  /** By id. */
  readonly #phase: Uint8Array;
  /** The handshake's answer while it is incomplete, and how much of it has come. */
  readonly #answers: Uint8Array;
  readonly #answerFilled: Uint8Array;
  /** What the router takes at most, as the exponent of its handshake. */
  readonly #lengthExponent: Uint8Array;
  readonly #parser: RawSocketParser;
  readonly #reasons = new Map<number, Failure>();
  /** Rests of frames of which the stream took only a part. */
  readonly #held = new Map<number, Uint8Array>();
  readonly #owed = new Set<number>();
  #frame = new Uint8Array(65_536);
  #streams!: Dialer;

  private constructor(
    handlers: ConnectionHandlers,
    settings: DialSettings,
    serializer: number,
    secure: boolean,
  ) {
    const { capacity, connectTimeoutMs } = settings;
    this.traits = { framing: "message", reliable: true, ordered: true, secure, maxMessageBytes };
    const timeout: Failure = {
      kind: "timeout",
      detail: `no answer to the rawsocket handshake within ${connectTimeoutMs} ms`,
    };
    this.#handlers = handlers;
    this.#serializer = serializer;
    const limitsMs = new Array<number>(ending + 1).fill(Infinity);
    // The connect timeout is one for the stream and the handshake on it.
    limitsMs.fill(connectTimeoutMs, connecting, handshaking + 1);
    this.#phases = new TimedPhases(capacity, limitsMs, (id) => this.#fail(id, timeout));
    this.#phase = this.#phases.current;
    this.#answers = new Uint8Array(capacity * headerBytes);
    this.#answerFilled = new Uint8Array(capacity);
    this.#lengthExponent = new Uint8Array(capacity);
    this.#parser = new RawSocketParser(capacity, settings.maxMessageBytes, {
      message: (id, bytes) => {
        if (this.#phase[id] === open) this.#handlers.data(id, bytes, false);
      },
      ping: (id, bytes) => this.#write(id, frameTypes.pong, bytes, 0, bytes.length),
      violation: (id, detail) => this.#fail(id, { kind: "protocol", detail }),
    });
  }

  /**
   * @param streams the transport below, which connects.
   * @param serializer its number in the handshake: 1 JSON, 2 MessagePack, 3 CBOR.
   * @throws what `streams.dial` throws.
   */
  static async dial(
    streams: Transport,
    endpoint: Endpoint,
    handlers: ConnectionHandlers,
    settings: DialSettings,
    serializer: number,
  ): Promise<Dialer> {
    const isSecure = endpoint.scheme === "tls";
    const dialer = new RawSocketDialer(handlers, settings, serializer, isSecure);
    dialer.#streams = await streams.dial(endpoint, {
      open: (id) => dialer.#streamOpen(id),
      data: (id, bytes) => dialer.#streamData(id, bytes),
      drain: (id) => dialer.#streamDrain(id),
      end: (id) => dialer.#streamEnd(id),
      close: (id, failure) => dialer.#streamClosed(id, failure),
    }, settings);
    return dialer;
  }

  connect(id: number): void {
    this.#phases.enter(id, connecting);
    this.#streams.connect(id);
  }

  serverOf(id: number): string | undefined {
    return this.#streams.serverOf?.(id);
  }

  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
  ): number {
    if (this.#phase[id] !== open) return 0;
    for (let at = 0; at < length; at += messageBytes) {
      if (this.#held.has(id)) {
        this.#owed.add(id);
        return at;
      }
      if (messageBytes > 2 ** (9 + this.#lengthExponent[id]!)) {
        const detail = `a message of ${messageBytes} bytes is longer than the router takes ` +
          `(${2 ** (9 + this.#lengthExponent[id]!)})`;
        this.#fail(id, { kind: "protocol", detail });
        return at;
      }
      this.#write(id, frameTypes.regular, bytes, offset + at, messageBytes);
      if (this.#phase[id] !== open) return at;
    }
    return length;
  }

  pause(id: number): void {
    this.#streams.pause(id);
  }

  resume(id: number): void {
    this.#streams.resume(id);
  }

  finish(id: number): void {
    this.close(id);
  }

  close(id: number): void {
    if (this.#phase[id] !== open) return this.terminate(id);
    this.#phases.enter(id, ending);
    this.#streams.close(id);
  }

  terminate(id: number): void {
    const phase = this.#phase[id] ?? free;
    if (phase === free) return;
    this.#phases.enter(id, ending);
    this.#streams.terminate(id);
  }

  async shutdown(): Promise<void> {
    this.#phases.stop();
    await this.#streams.shutdown();
  }

  /** Sends one frame, behind what is held where the stream takes nothing. */
  #write(id: number, type: number, bytes: Uint8Array, offset: number, length: number): void {
    const total = headerBytes + length;
    if (this.#frame.length < total) this.#frame = new Uint8Array(total * 2);
    const frame = this.#frame;
    frame[0] = type;
    frame[1] = length >>> 16;
    frame[2] = (length >>> 8) & 0xff;
    frame[3] = length & 0xff;
    frame.set(bytes.subarray(offset, offset + length), headerBytes);
    const held = this.#held.get(id);
    const written = held === undefined ? this.#streams.send(id, frame, 0, total, total) : 0;
    if (written === total || this.#phase[id] === free) return;
    // A peer that pings and does not read is not worth more than one answer.
    if (held !== undefined && type === frameTypes.pong) return;
    this.#held.set(id, Buffer.concat([held ?? [], frame.subarray(written, total)] as Uint8Array[]));
  }

  #fail(id: number, failure: Failure): void {
    this.#reasons.set(id, failure);
    this.#phases.enter(id, ending);
    this.#streams.terminate(id);
  }

  #streamOpen(id: number): void {
    this.#phases.goOn(id, handshaking);
    this.#answerFilled[id] = 0;
    const hello = Uint8Array.of(magic, (mostLengthExponent << 4) | this.#serializer, 0, 0);
    this.#streams.send(id, hello, 0, hello.length, hello.length);
  }

  #streamData(id: number, bytes: Uint8Array): void {
    if (this.#phase[id] === open) return this.#parser.receive(id, bytes);
    if (this.#phase[id] !== handshaking) return;
    let filled = this.#answerFilled[id]!;
    let at = 0;
    while (filled < headerBytes && at < bytes.length) {
      this.#answers[id * headerBytes + filled++] = bytes[at++]!;
    }
    this.#answerFilled[id] = filled;
    if (filled < headerBytes) return;
    const failure = this.#handshakeFailure(id);
    if (failure !== undefined) return this.#fail(id, failure);
    this.#phases.enter(id, open);
    this.#handlers.open(id);
    if (at < bytes.length && this.#phase[id]! >= open) {
      this.#parser.receive(id, bytes.subarray(at));
    }
  }

  #handshakeFailure(id: number): Failure | undefined {
    const at = id * headerBytes;
    const [first = 0, second = 0, third = 0, fourth = 0] = this.#answers.subarray(at, at + 4);
    if (first !== magic) {
      const hex = [...this.#answers.subarray(at, at + 4)]
        .map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      return { kind: "protocol", detail: `the answer to the rawsocket handshake is ${hex}` };
    }
    if ((second & 0x0f) === 0) {
      const error = handshakeErrors[second >>> 4] ?? `error ${second >>> 4}`;
      const kind = second >>> 4 === 4 ? "refused" : "protocol";
      return { kind, detail: `the router refused the rawsocket handshake: ${error}` };
    }
    if ((second & 0x0f) !== this.#serializer || third !== 0 || fourth !== 0) {
      const detail = `the router answered the rawsocket handshake with another serializer ` +
        `(${second & 0x0f} instead of ${this.#serializer}) or with reserved bits`;
      return { kind: "protocol", detail };
    }
    this.#lengthExponent[id] = second >>> 4;
    return undefined;
  }

  #streamDrain(id: number): void {
    const held = this.#held.get(id);
    if (held !== undefined) {
      const written = this.#streams.send(id, held, 0, held.length, held.length);
      if (written < held.length) {
        if (this.#phase[id] !== free) this.#held.set(id, held.subarray(written));
        return;
      }
      this.#held.delete(id);
    }
    if (this.#owed.delete(id) && this.#phase[id] === open) this.#handlers.drain(id);
  }

  #streamEnd(id: number): void {
    if (this.#phase[id] === ending) return;
    this.#reasons.set(id, {
      kind: "closed-by-peer",
      detail: this.#phase[id] === open
        ? "the router ended the connection"
        : "the router ended the connection instead of answering the rawsocket handshake",
    });
    this.#phases.enter(id, ending);
    this.#streams.close(id);
  }

  #streamClosed(id: number, failure: Failure | undefined): void {
    const wasAsked = this.#phase[id] === ending;
    const reason = this.#reasons.get(id);
    const cause = reason ?? (wasAsked ? undefined : failure ?? {
      kind: "closed-by-peer" as const,
      detail: "the router ended the connection",
    });
    this.#phases.enter(id, free);
    this.#parser.reset(id);
    this.#held.delete(id);
    this.#owed.delete(id);
    this.#reasons.delete(id);
    this.#handlers.close(id, cause);
  }
}
