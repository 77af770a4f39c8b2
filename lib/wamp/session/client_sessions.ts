import type { Failure } from "../../stats/failure.ts";
import type { ConnectionHandlers, Dialer } from "../../transport/transport.ts";
import { checkRouterMessage } from "../message/check.ts";
import { codes, messageName } from "../message/codes.ts";
import { closeReasons } from "../message/errors.ts";
import type { Dict, RouterMessage } from "../message/message.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";
import { unpackBatch } from "../serialization/batch.ts";
import type { Subprotocol } from "../serialization/subprotocol.ts";
import type { ClientUrl } from "../transport/client_url.ts";
import { dialRouter } from "../transport/client_dialer.ts";
import { clientRoles } from "./client_roles.ts";
import { Login } from "./login.ts";
import type { RouterAccess } from "./router_access.ts";
import { SessionOutput } from "./session_output.ts";

/**
 * One object receives the events of every session. A session that is connected ends in `joined` and
 * later one `closed`, or in `closed` alone.
 */
export interface SessionHandlers {
  /** WELCOME has come. */
  joined(id: number, details: Dict): void;
  /**
   * A message as it came, for handlers that read some without decoding them.
   *
   * @returns whether that is done with this one.
   */
  raw(id: number, bytes: Uint8Array): boolean;
  /** Any other message of a session that has joined; bytes in it are valid during the call only. */
  message(id: number, message: RouterMessage): void;
  /** The id is free again; without a failure only where this side asked for the end. */
  closed(id: number, failure: Failure | undefined): void;
}

export interface SessionSettings extends RouterAccess {
  /** How many ids there are. */
  readonly capacity: number;
  readonly subprotocol: Subprotocol;
  /** From the connect to WELCOME. */
  readonly joinTimeoutMs: number;
}

/** Phases of a session, in the order in which it goes through them. */
const free = 0;
const connecting = 1;
const joining = 2;
const joined = 3;
/** Our GOODBYE is out. */
const leaving = 4;
/** Only the connection has to end. */
const ending = 5;

/** How long a router may take to answer GOODBYE. */
const leaveTimeoutMs = 1_000;
const sweepMs = 100;

/**
 * The client's side of many WAMP sessions (specification, section "Sessions"), each on a connection of
 * its own. Sessions are named by small integers, so that their state lies in typed arrays.
 *
 * A session costs 29 bytes here beside its connection.
 */
export class ClientSessions {
  readonly #settings: SessionSettings;
  readonly #handlers: SessionHandlers;
  readonly #dialers: Dialer[] = [];
  readonly #output: SessionOutput;
  readonly #login: Login | undefined;
  readonly #phase: Uint8Array;
  readonly #sessionIds: Float64Array;
  readonly #requests: Float64Array;
  readonly #since: Float64Array;
  readonly #reasons = new Map<number, Failure>();
  #sweepTimer: ReturnType<typeof setInterval> | undefined;

  /**
   * Resolves the routers and prepares everything; connects nothing yet.
   *
   * @throws {TargetUnreachableError} a host does not resolve.
   */
  static async open(settings: SessionSettings, handlers: SessionHandlers): Promise<ClientSessions> {
    const sessions = new ClientSessions(settings, handlers);
    for (const [index, url] of settings.urls.entries()) {
      sessions.#dialers.push(await sessions.#dial(url, index));
    }
    return sessions;
  }

  private constructor(settings: SessionSettings, handlers: SessionHandlers) {
    const { capacity, credentials } = settings;
    this.#settings = settings;
    this.#login = credentials === undefined ? undefined : new Login(credentials);
    this.#handlers = handlers;
    this.#phase = new Uint8Array(capacity);
    this.#sessionIds = new Float64Array(capacity);
    this.#requests = new Float64Array(capacity);
    this.#since = new Float64Array(capacity);
    this.#output = new SessionOutput(
      settings.subprotocol,
      (id, bytes, isText) =>
        this.#dialers[id % this.#dialers.length]!.send(
          this.#connectionOf(id),
          bytes,
          0,
          bytes.length,
          bytes.length,
          isText,
        ) === bytes.length,
    );
  }

  #dial(url: ClientUrl, index: number): Promise<Dialer> {
    const { urls, subprotocol, tls, joinTimeoutMs: connectTimeoutMs } = this.#settings;
    const idOf = (connection: number) => connection * urls.length + index;
    const handlers: ConnectionHandlers = {
      open: (connection) => this.#opened(idOf(connection)),
      data: (connection, bytes, isText) => this.#data(idOf(connection), bytes, isText),
      drain: (connection) => this.#output.drained(idOf(connection)),
      end: (connection) => this.terminate(idOf(connection)),
      close: (connection, failure) => this.#closed(idOf(connection), failure),
    };
    const capacity = Math.ceil(this.#settings.capacity / urls.length);
    return dialRouter(url, subprotocol, handlers, { capacity, connectTimeoutMs, tls });
  }

  #connectionOf(id: number): number {
    return Math.floor(id / this.#dialers.length);
  }

  #dialerOf(id: number): Dialer {
    return this.#dialers[id % this.#dialers.length]!;
  }

  /** Connects and joins the realm. */
  connect(id: number): void {
    this.#enter(id, connecting);
    this.#sessionIds[id] = 0;
    this.#requests[id] = 0;
    this.#sweepTimer ??= setInterval(() => this.#sweep(), sweepMs);
    this.#dialerOf(id).connect(this.#connectionOf(id));
  }

  isJoined(id: number): boolean {
    return this.#phase[id] === joined;
  }

  /** The id that the router gave to the session; 0 before WELCOME. */
  sessionIdOf(id: number): number {
    return this.#sessionIds[id]!;
  }

  /** A number for the next request: of session scope, from 1 (specification, section "IDs"). */
  nextRequest(id: number): number {
    return this.#requests[id] = this.#requests[id]! + 1;
  }

  /** Sends a message; returns its length in bytes. What the router does not take now is kept. */
  send(id: number, message: readonly unknown[]): number {
    return this.#output.send(id, message);
  }

  /** Bytes that wait for the router to take them. */
  pendingBytes(id: number): number {
    return this.#output.pendingBytes(id);
  }

  /** Ends the session in order: GOODBYE, and its answer. */
  leave(id: number): void {
    if (this.#phase[id] !== joined) return this.terminate(id);
    this.#enter(id, leaving);
    this.send(id, [codes.goodbye, {}, closeReasons.normal]);
  }

  /** Ends the connection at once. */
  terminate(id: number): void {
    if (this.#phase[id] === free) return;
    this.#enter(id, ending);
    this.#dialerOf(id).terminate(this.#connectionOf(id));
  }

  /** Ends every session and frees what they hold. */
  async shutdown(): Promise<void> {
    clearInterval(this.#sweepTimer);
    for (let id = 0; id < this.#phase.length; id++) this.terminate(id);
    await Promise.all(this.#dialers.map((dialer) => dialer.shutdown()));
  }

  #enter(id: number, phase: number): void {
    this.#phase[id] = phase;
    this.#since[id] = performance.now();
  }

  /** Ends what takes too long. */
  #sweep(): void {
    const nowMs = performance.now();
    const { joinTimeoutMs } = this.#settings;
    for (let id = 0; id < this.#phase.length; id++) {
      const forMs = nowMs - this.#since[id]!;
      if (this.#phase[id] === joining && forMs > joinTimeoutMs) {
        const detail = `no WELCOME within ${joinTimeoutMs} ms`;
        this.#fail(id, { kind: "timeout", detail });
      } else if (this.#phase[id] === leaving && forMs > leaveTimeoutMs) {
        this.terminate(id);
      }
    }
  }

  #fail(id: number, failure: Failure): void {
    this.#reasons.set(id, failure);
    this.terminate(id);
  }

  #opened(id: number): void {
    this.#enter(id, joining);
    const details = { roles: clientRoles, agent: "holdfast", ...this.#login?.hello };
    this.send(id, [codes.hello, this.#settings.realm, details]);
  }

  #data(id: number, bytes: Uint8Array, isText: boolean): void {
    try {
      const { subprotocol, urls } = this.#settings;
      const isWebSocket = urls[id % urls.length]!.kind === "websocket";
      if (isWebSocket && isText === subprotocol.serializer.isBinary) {
        const what = isText ? "text" : "binary data";
        throw new ProtocolViolation(`${what} came in the subprotocol ${subprotocol.name}`);
      }
      if (subprotocol.isBatched) unpackBatch(bytes, (message) => this.#one(id, message));
      else this.#one(id, bytes);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#violated(id, error);
    }
  }

  #one(id: number, bytes: Uint8Array): void {
    const phase = this.#phase[id];
    if (phase === ending || phase === free) return;
    // Answers that are on their way still count while a session leaves.
    if (phase !== joining && this.#handlers.raw(id, bytes)) return;
    const { serializer } = this.#settings.subprotocol;
    const message = checkRouterMessage(serializer.decode(bytes));
    if (phase === joining) this.#answer(id, message);
    else this.#message(id, message);
  }

  /** What answers HELLO. */
  #answer(id: number, message: RouterMessage): void {
    switch (message[0]) {
      case codes.welcome:
        this.#enter(id, joined);
        this.#sessionIds[id] = message[1];
        return this.#handlers.joined(id, message[2]);
      case codes.challenge:
        if (this.#login === undefined) break;
        this.send(id, [codes.authenticate, this.#login.answer(message[1], message[2]), {}]);
        return;
      case codes.abort:
        return this.#aborted(id, message, this.#login?.shown);
    }
    throw new ProtocolViolation(`${messageName(message[0])} came in answer to HELLO`);
  }

  #message(id: number, message: RouterMessage): void {
    switch (message[0]) {
      case codes.goodbye:
        return this.#goodbye(id, message[2]);
      case codes.abort:
        return this.#aborted(id, message);
      case codes.welcome:
      case codes.challenge:
        throw new ProtocolViolation(`${messageName(message[0])} came in a session that has joined`);
      default:
        this.#handlers.message(id, message);
    }
  }

  #goodbye(id: number, reason: string): void {
    if (this.#phase[id] === leaving) {
      this.#enter(id, ending);
      return this.#dialerOf(id).close(this.#connectionOf(id));
    }
    this.#reasons.set(id, { kind: "closed-by-peer", detail: `GOODBYE ${reason}` });
    this.send(id, [codes.goodbye, {}, closeReasons.goodbyeAndOut]);
    this.#output.flush(id);
    this.#enter(id, ending);
    this.#dialerOf(id).close(this.#connectionOf(id));
  }

  /** @param login who asked to be let in, where that may be why. */
  #aborted(id: number, message: RouterMessage & readonly [3, ...unknown[]], login = ""): void {
    const [, details, reason] = message;
    const text = details["message"];
    const detail = `ABORT ${reason}${typeof text === "string" && text !== "" ? `: ${text}` : ""}` +
      login;
    this.#fail(id, { kind: "protocol", detail });
  }

  #violated(id: number, violation: ProtocolViolation): void {
    if (this.#phase[id] === ending || this.#phase[id] === free) return;
    this.send(id, [codes.abort, { message: violation.message }, violation.uri]);
    this.#output.flush(id);
    this.#reasons.set(id, { kind: "protocol", detail: violation.message });
    this.#enter(id, ending);
    this.#dialerOf(id).close(this.#connectionOf(id));
  }

  #closed(id: number, failure: Failure | undefined): void {
    const reason = this.#reasons.get(id);
    const wasAsked = this.#phase[id] === ending || this.#phase[id] === leaving;
    this.#reasons.delete(id);
    this.#output.forget(id);
    this.#enter(id, free);
    this.#handlers.closed(id, reason ?? (wasAsked ? undefined : failure));
  }
}
