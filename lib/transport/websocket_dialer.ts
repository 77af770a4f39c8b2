import type { Failure } from "../stats/failure.ts";
import type { Endpoint } from "./endpoint.ts";
import { TimedPhases } from "./timed_phases.ts";
import type {
  ConnectionHandlers,
  Dialer,
  DialSettings,
  Transport,
  TransportTraits,
} from "./transport.ts";
import { closeCodes, closedByPeer, closePayload } from "./websocket_close.ts";
import { opcodes } from "./websocket_frames.ts";
import { FrameParser } from "./websocket_frame_parser.ts";
import { UpgradeHandshakes } from "./websocket_handshake.ts";
import { FrameOutput } from "./websocket_output.ts";

/** Phases of a connection, in the order in which it goes through them. */
const free = 0;
const connecting = 1;
const upgrading = 2;
const open = 3;
/** Our close frame is out; what comes is still passed on (`finish`). */
const finishing = 4;
/** Our close frame is out; what comes is dropped (`close`). */
const closing = 5;
/** The close frames are exchanged or will never be: only the stream has to end. */
const ending = 6;
/** Reported as closed, and free to connect again; the stream still has its end to come. */
const left = 7;

/** How long the peer may take to answer a close frame, and then to end the stream. */
const closeTimeoutMs = 1000;

const normalClosure = closePayload(closeCodes.normal, "");
const endedInUpgrade: Failure = {
  kind: "closed-by-peer",
  detail: "the server ended the connection instead of answering the WebSocket upgrade",
};
const endedWithoutClose: Failure = {
  kind: "closed-by-peer",
  detail: "the server ended the connection without a close frame",
};

/**
 * WebSocket connections (RFC 6455, the client's side) on the streams of another dialer: TCP for ws,
 * TLS for wss. Not Bun's own client, because this one has source addresses, several messages in one
 * write, kinds of failure, and costs 49 bytes a connection beside the stream.
 *
 * After `pause`, messages of the chunk in hand still arrive.
 */
export class WebSocketDialer implements Dialer {
  readonly traits: TransportTraits;
  readonly #handlers: ConnectionHandlers;
  readonly #handshakes: UpgradeHandshakes;
  readonly #parser: FrameParser;
  readonly #phases: TimedPhases;
  /** By id. */
  readonly #phase: Uint8Array;
  /** 1 where this side asked for the end. */
  readonly #asked: Uint8Array;
  /** Why a connection is about to close. */
  readonly #reasons = new Map<number, Failure>();
  readonly #timeout: Failure;
  #inUse = 0;
  #allClosed: (() => void) | undefined;
  #isShut = false;
  #shutdown: Promise<void> | undefined;
  #streams!: Dialer;
  #output!: FrameOutput;

  private constructor(endpoint: Endpoint, handlers: ConnectionHandlers, settings: DialSettings) {
    const { capacity, connectTimeoutMs } = settings;
    this.traits = {
      framing: "message",
      reliable: true,
      ordered: true,
      secure: endpoint.scheme === "wss",
      maxMessageBytes: Infinity,
    };
    this.#handlers = handlers;
    this.#handshakes = new UpgradeHandshakes(endpoint, capacity, settings.subprotocol);
    this.#parser = new FrameParser(capacity, settings.maxMessageBytes, {
      message: (id, payload, isText) => this.#message(id, payload, isText),
      ping: (id, payload) => this.#ping(id, payload),
      closeFrame: (id, code, reason) => this.#closeFrame(id, code, reason),
      violation: (id, code, detail) => this.#violation(id, code, detail),
    });
    const limitsMs = new Array<number>(left + 1).fill(Infinity);
    // The connect timeout is one for the stream and the upgrade on it.
    limitsMs.fill(connectTimeoutMs, connecting, upgrading + 1);
    limitsMs.fill(closeTimeoutMs, closing);
    this.#phases = new TimedPhases(capacity, limitsMs, (id, phase) => this.#expired(id, phase));
    this.#phase = this.#phases.current;
    this.#asked = new Uint8Array(capacity);
    this.#timeout = {
      kind: "timeout",
      detail: `no answer to the WebSocket upgrade within ${connectTimeoutMs} ms`,
    };
  }

  /**
   * @param streams the transport below, which connects.
   * @throws what `streams.dial` throws.
   * @throws {UsageError} a path that no request can carry.
   */
  static async dial(
    streams: Transport,
    endpoint: Endpoint,
    handlers: ConnectionHandlers,
    settings: DialSettings,
  ): Promise<Dialer> {
    const dialer = new WebSocketDialer(endpoint, handlers, settings);
    await dialer.#dialStreams(streams, endpoint, settings);
    return dialer;
  }

  async #dialStreams(streams: Transport, endpoint: Endpoint, settings: DialSettings) {
    const below: ConnectionHandlers = {
      open: (id) => this.#streamOpen(id),
      data: (id, bytes) => this.#streamData(id, bytes),
      drain: (id) => this.#streamDrain(id),
      end: (id) => this.#streamEnd(id),
      close: (id, failure) => this.#streamClosed(id, failure),
    };
    const target: Endpoint = { ...endpoint, scheme: streams.scheme, path: "/" };
    this.#streams = await streams.dial(target, below, settings);
    this.#output = new FrameOutput(this.#streams, settings.capacity);
  }

  connect(id: number): void {
    if (this.#phase[id] === left) this.#streams.terminate(id);
    if (this.#phase[id] !== free) {
      throw new RangeError(
        `connection id ${id} is in use or not below the capacity ${this.#phase.length}`,
      );
    }
    if (this.#isShut) return this.#handlers.close(id, undefined);
    this.#inUse++;
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
    isText = false,
  ): number {
    if (this.#phase[id] !== open) return 0;
    const opcode = isText ? opcodes.text : opcodes.binary;
    return this.#output.send(id, bytes, offset, length, messageBytes, opcode);
  }

  pause(id: number): void {
    if (this.#phase[id] === open || this.#phase[id] === finishing) this.#streams.pause(id);
  }

  resume(id: number): void {
    if (this.#phase[id] === open || this.#phase[id] === finishing) this.#streams.resume(id);
  }

  /** There is no half-close: sends a close frame and passes on what comes until the peer's. */
  finish(id: number): void {
    if (this.#phase[id] === open) this.#sendClose(id, finishing);
  }

  close(id: number): void {
    const phase = this.#phase[id]!;
    if (phase === connecting || phase === upgrading) this.terminate(id);
    else if (phase === finishing) this.#phases.enter(id, closing);
    else if (phase === open) this.#sendClose(id, closing);
    if (phase === finishing || phase === open) this.#streams.resume(id);
  }

  terminate(id: number): void {
    const phase = this.#phase[id] ?? free;
    if (phase === free || phase === left) return;
    this.#asked[id] = 1;
    this.#phases.enter(id, ending);
    this.#streams.terminate(id);
  }

  shutdown(): Promise<void> {
    this.#isShut = true;
    this.#shutdown ??= this.#closeAll();
    return this.#shutdown;
  }

  async #closeAll(): Promise<void> {
    for (let id = 0; id < this.#phase.length; id++) this.close(id);
    if (this.#inUse > 0) {
      // Every one of them ends in time.
      await new Promise<void>((resolve) => this.#allClosed = resolve);
    }
    this.#phases.stop();
    await this.#streams.shutdown();
  }

  #sendClose(id: number, phase: typeof finishing | typeof closing): void {
    this.#asked[id] = 1;
    this.#phases.enter(id, phase);
    this.#output.close(id, normalClosure);
  }

  /** Ends what takes too long. */
  #expired(id: number, phase: number): void {
    if (phase === connecting || phase === upgrading) this.#fail(id, this.#timeout);
    else this.#streams.terminate(id);
  }

  #fail(id: number, failure: Failure): void {
    this.#reasons.set(id, failure);
    this.#phases.enter(id, ending);
    this.#streams.terminate(id);
  }

  #streamOpen(id: number): void {
    this.#phases.goOn(id, upgrading);
    this.#output.attach(id);
    const request = this.#handshakes.request(id);
    this.#output.write(id, request, request.length);
  }

  #streamData(id: number, bytes: Uint8Array): void {
    const phase = this.#phase[id]!;
    if (phase === upgrading) this.#upgradeAnswer(id, bytes);
    else if (phase < ending) this.#parser.receive(id, bytes);
  }

  #upgradeAnswer(id: number, bytes: Uint8Array): void {
    const result = this.#handshakes.receive(id, bytes);
    if (result === undefined) return;
    if (typeof result !== "number") return this.#fail(id, result);
    this.#handshakes.reset(id);
    this.#phases.enter(id, open);
    this.#handlers.open(id);
    // The first messages may have come with the response.
    if (result < bytes.length && this.#phase[id]! >= open) {
      this.#streamData(id, bytes.subarray(result));
    }
  }

  #message(id: number, payload: Uint8Array, isText: boolean): void {
    const phase = this.#phase[id]!;
    if (phase === open || phase === finishing) this.#handlers.data(id, payload, isText);
  }

  #ping(id: number, payload: Uint8Array): void {
    if (this.#phase[id] === open) this.#output.pong(id, payload);
  }

  #closeFrame(id: number, code: number, reason: string): void {
    const wasAsked = this.#asked[id] === 1;
    // RFC 6455 7.1.1: the server ends the stream first, so that it keeps the TIME_WAIT.
    this.#phases.enter(id, ending);
    if (wasAsked) return;
    this.#reasons.set(id, closedByPeer("server", code, reason));
    const answer = code === closeCodes.noStatus ? new Uint8Array(0) : closePayload(code, "");
    this.#streams.resume(id);
    this.#output.close(id, answer);
  }

  /** A peer that breaks the protocol may well not take part in the end: that is not waited for. */
  #violation(id: number, code: number, detail: string): void {
    const failure: Failure = { kind: "protocol", detail };
    if (this.#phase[id] !== open || this.#output.isBlocked(id)) return this.#fail(id, failure);
    this.#phases.enter(id, left);
    this.#output.close(id, closePayload(code, ""));
    this.#streams.close(id);
    this.#handlers.close(id, failure);
  }

  #streamDrain(id: number): void {
    if (!this.#output.drained(id)) return;
    if (this.#output.takeOwed(id) && this.#phase[id] === open) this.#handlers.drain(id);
  }

  #streamEnd(id: number): void {
    const phase = this.#phase[id]!;
    if (phase === left) return;
    if (phase === upgrading) this.#reasons.set(id, endedInUpgrade);
    if (phase === open) this.#reasons.set(id, endedWithoutClose);
    this.#phases.enter(id, ending);
    this.#streams.close(id);
  }

  #streamClosed(id: number, failure: Failure | undefined): void {
    const wasLeft = this.#phase[id] === left;
    const reason = this.#reasons.size > 0 ? this.#reasons.get(id) : undefined;
    const cause = this.#asked[id] === 1
      ? undefined
      : reason ?? failure ?? (this.#phase[id]! < open ? endedInUpgrade : endedWithoutClose);
    this.#phases.enter(id, free);
    this.#asked[id] = 0;
    this.#parser.reset(id);
    this.#output.detach(id);
    this.#handshakes.reset(id);
    if (reason !== undefined) this.#reasons.delete(id);
    this.#inUse--;
    if (!wasLeft) this.#handlers.close(id, cause);
    if (this.#inUse === 0) this.#allClosed?.();
  }
}
