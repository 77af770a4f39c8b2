import process from "node:process";
import { nowNs } from "../../stats/clock.ts";
import type { Failure } from "../../stats/failure.ts";
import { codes } from "../message/codes.ts";
import type { Invocation, RouterMessage } from "../message/message.ts";
import { procedureOf } from "../probe/plan.ts";
import type { Subprotocol } from "../serialization/subprotocol.ts";
import { ClientSessions } from "../session/client_sessions.ts";
import type { RouterAccess } from "../session/router_access.ts";
import { SessionKeeper } from "../session/session_keeper.ts";

export interface BackendPlan extends RouterAccess {
  readonly subprotocol: Subprotocol;
  readonly connections: number;
  /** The nodes whose procedures are registered at the URL of this index. */
  nodesAt(url: number): readonly number[];
}

export interface BackendHandlers {
  /** Every procedure of every session is registered for the first time. */
  ready(): void;
  lost(node: string, failure: Failure | undefined): void;
  /** A registration was refused, with this error. */
  refused(procedure: string, error: string): void;
}

const joinTimeoutMs = 10_000;
const stepMs = 5;
const fingerprintBytes = 6;

/**
 * The callees of Crossbar's example: each procedure takes (logname, url, loop, counter, payload) and
 * returns a fingerprint of the payload, the first 6 bytes of its SHA-256, with its own process id, name
 * and URL. Sessions that are lost come back and register again.
 */
export class Backend {
  readonly counts = { invocations: 0, forwarded: 0, payloadBytes: 0, errors: 0 };
  readonly keeper: SessionKeeper;
  readonly #plan: BackendPlan;
  readonly #handlers: BackendHandlers;
  readonly #sessions: ClientSessions;
  /** Registrations that are asked for, by session and request. */
  readonly #asked: Map<number, string>[];
  /** Nodes of the procedures, by session and registration. */
  readonly #registered: Map<number, number>[];
  readonly #digest = new Uint8Array(32);
  #timer: ReturnType<typeof setInterval> | undefined;
  #isReady = false;

  /** @throws {TargetUnreachableError} a host does not resolve. */
  static async create(plan: BackendPlan, handlers: BackendHandlers): Promise<Backend> {
    const capacity = plan.urls.length * plan.connections;
    const sessions: ClientSessions = await ClientSessions.open({
      ...plan,
      capacity,
      subprotocol: plan.subprotocol,
      joinTimeoutMs,
    }, {
      joined: (id, details) => backend.keeper.joined(id, details),
      raw: () => false,
      message: (id, message) => backend.#message(id, message),
      closed: (id, failure) => backend.keeper.closed(id, failure),
    });
    const backend: Backend = new Backend(plan, handlers, sessions, capacity);
    return backend;
  }

  private constructor(
    plan: BackendPlan,
    handlers: BackendHandlers,
    sessions: ClientSessions,
    capacity: number,
  ) {
    this.#plan = plan;
    this.#handlers = handlers;
    this.#sessions = sessions;
    this.#asked = Array.from({ length: capacity }, () => new Map());
    this.#registered = Array.from({ length: capacity }, () => new Map());
    this.keeper = new SessionKeeper(sessions, capacity, {
      joined: (id) => this.#register(id),
      ready: () => this.#ready(),
      lost: (_id, _atNs, node, failure) => handlers.lost(node, failure),
      settled: () => {},
    }, { counts: () => ({ unsent: 0, duplicated: 0, late: 0 }) });
  }

  start(): void {
    this.keeper.start(nowNs());
    this.#timer = setInterval(() => this.keeper.step(nowNs()), stepMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.keeper.stop(nowNs());
    for (let id = 0; id < this.keeper.capacity; id++) this.#sessions.leave(id);
    const untilMs = performance.now() + 1_000;
    while (this.keeper.open > 0 && performance.now() < untilMs) await Bun.sleep(5);
    await this.#sessions.shutdown();
  }

  #ready(): void {
    if (this.#isReady || this.keeper.open < this.keeper.capacity) return;
    this.#isReady = true;
    this.#handlers.ready();
  }

  #register(id: number): void {
    this.#asked[id]!.clear();
    this.#registered[id]!.clear();
    for (const node of this.#plan.nodesAt(id % this.#plan.urls.length)) {
      const request = this.#sessions.nextRequest(id);
      this.#asked[id]!.set(request, procedureOf(node));
      const options = { match: "exact", invoke: "random" };
      this.#sessions.send(id, [codes.register, request, options, procedureOf(node)]);
    }
    if (this.#asked[id]!.size === 0) this.keeper.ready(id);
  }

  #message(id: number, message: RouterMessage): void {
    switch (message[0]) {
      case codes.registered:
        return this.#granted(id, message[1], message[2]);
      case codes.invocation:
        return this.#invoked(id, message);
      case codes.error:
        if (message[1] !== codes.register) return;
        this.#handlers.refused(this.#asked[id]!.get(message[2]) ?? "", message[4]);
        // It is tried again with the next session, later and later.
        this.#sessions.terminate(id);
    }
  }

  #granted(id: number, request: number, registration: number): void {
    const procedure = this.#asked[id]!.get(request);
    if (procedure === undefined) return;
    this.#asked[id]!.delete(request);
    this.#registered[id]!.set(registration, Number(/\d+/.exec(procedure)![0]));
    if (this.#asked[id]!.size === 0) this.keeper.ready(id);
  }

  #invoked(id: number, [, request, registration, details, args]: Invocation): void {
    const payload: unknown = Array.isArray(args) ? args[4] : undefined;
    const node = this.#registered[id]!.get(registration);
    if (!(payload instanceof Uint8Array) || node === undefined) {
      this.counts.errors++;
      const text = "the fifth argument has to be the payload, as bytes";
      const error = "wamp.error.invalid_argument";
      this.#sessions.send(id, [codes.error, codes.invocation, request, {}, error, [text]]);
      return;
    }
    this.counts.invocations++;
    this.counts.payloadBytes += payload.length;
    if ((details["forward_for"] ?? undefined) !== undefined) this.counts.forwarded++;
    Bun.SHA256.hash(payload, this.#digest);
    const fingerprint = this.#digest.subarray(0, fingerprintBytes);
    const url = this.#plan.urls[id % this.#plan.urls.length]!.text;
    const result = [fingerprint, process.pid, `node${node}.container1`, url];
    this.#sessions.send(id, [codes.yield, request, {}, [result]]);
  }
}
