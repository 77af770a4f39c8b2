import { codes } from "../message/codes.ts";
import { errors } from "../message/errors.ts";
import type { Dict } from "../message/message.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";
import { shown } from "../message/shown.ts";
import { invalidUri, isPattern, isReserved, isUri, type UriStrictness } from "../message/uri.ts";
import { WampError } from "../message/wamp_error.ts";
import { Payload } from "../serialization/payload.ts";
import type { RouterCounters } from "./counters.ts";
import { errorDetails, forwardedFor, payloadDetails } from "./details.ts";
import { invocationPolicyOf, requireShared } from "./invocation_policy.ts";
import type { LinkedRouters } from "./links.ts";
import { matchPolicyOf } from "./match_policy.ts";
import type { MetaEvents } from "./meta_events.ts";
import { notAuthorized } from "./not_authorized.ts";
import { PatternTable } from "./pattern_table.ts";
import { PendingCall } from "./pending_call.ts";
import { type InvocationPolicy, Registration } from "./registration.ts";
import type { Caller, Session } from "./session.ts";

/** A procedure of the router itself: positional arguments to positional results. */
export type MetaProcedure = (
  args: readonly unknown[],
  kwargs: Dict,
  caller: Caller,
) => readonly unknown[];

/** Longest time limit of a call: beyond it a timer fires at once. */
const longestTimeoutMs = 2 ** 31 - 1;

/** Calls and registers in one realm. */
export class Dealer {
  readonly registrations = new PatternTable<Registration>();
  readonly #byId = new Map<number, Registration>();
  readonly #counters: RouterCounters;
  readonly #meta: MetaEvents;
  readonly #strictness: UriStrictness;
  links: LinkedRouters;
  metaProcedures: ReadonlyMap<string, MetaProcedure> = new Map();

  constructor(
    counters: RouterCounters,
    meta: MetaEvents,
    links: LinkedRouters,
    strictness: UriStrictness,
  ) {
    this.#counters = counters;
    this.#meta = meta;
    this.links = links;
    this.#strictness = strictness;
  }

  registrationOf(id: number): Registration | undefined {
    return this.#byId.get(id);
  }

  /** @throws {WampError} the answer is an ERROR. */
  register(session: Session, request: number, options: Dict, procedure: string): void {
    const match = matchPolicyOf(options);
    const invoke = invocationPolicyOf(options);
    if (!isPattern(procedure, match, this.#strictness)) throw invalidUri(procedure, "procedure");
    if (isReserved(procedure)) {
      throw invalidUri(procedure, "procedure that a client may register");
    }
    if (!session.role.may("register", procedure, match)) {
      throw notAuthorized("register", procedure);
    }
    const known = this.registrations.get(procedure, match);
    if (
      known !== undefined && (!session.isLink || !this.#isSettledElsewhere(known, invoke, session))
    ) {
      requireShared(known, invoke, session);
    }
    const registration = known ?? new Registration(procedure, match, invoke);
    if (known === undefined) {
      this.registrations.add(registration);
      this.#byId.set(registration.id, registration);
    }
    const handlesTimeouts = options["forward_timeout"] === true &&
      session.features.handlesTimeouts;
    const join = () => this.#join(session, request, registration, handlesTimeouts);
    if (session.isLink) return join();
    registration.interest.add(() => this.links.registered(registration), (refusal) => {
      if (refusal === undefined) return join();
      this.#uninterest(registration);
      const args = Payload.of([[`${procedure} is registered at another router`]]);
      session.send([codes.error, codes.register, request, {}, refusal], args);
    });
  }

  /**
   * Whether another router registers what only one client can have, and no client here stands against
   * that. If clients want it here and there at the same time, the router whose name comes first wins;
   * other routers take both, and the two settle it between them.
   */
  #isSettledElsewhere(known: Registration, invoke: InvocationPolicy, link: Session): boolean {
    const { interest } = known;
    if (known.invoke !== "single" || invoke !== "single" || known.has(link)) return false;
    if (interest.count === 0) return true;
    if (!interest.isWaiting || this.links.comesBefore(link.node)) return false;
    interest.refuse(errors.procedureAlreadyExists);
    return true;
  }

  #join(
    session: Session,
    request: number,
    registration: Registration,
    handlesTimeouts: boolean,
  ): void {
    if (session.isClosed) {
      if (!session.isLink) this.#uninterest(registration);
      return;
    }
    if (registration.has(session)) {
      this.#uninterest(registration);
      const head = [codes.error, codes.register, request, {}, errors.procedureAlreadyExists];
      session.send(head, Payload.of([[`${registration.uri} is registered by this session`]]));
      return;
    }
    registration.add(session, handlesTimeouts);
    session.send([codes.registered, request, registration.id], Payload.empty);
    if (session.isLink) return;
    if (registration.callees.filter(({ isLink }) => !isLink).length === 1) {
      this.#meta.registrationCreated(session, registration);
    }
    this.#meta.registered(session, registration);
  }

  /** @throws {WampError} the answer is an ERROR. */
  unregister(session: Session, request: number, id: number): void {
    const registration = this.#byId.get(id);
    if (registration === undefined || !registration.has(session)) {
      throw new WampError(errors.noSuchRegistration, `there is no registration ${id}`);
    }
    this.#remove(session, registration);
    session.send([codes.unregistered, request], Payload.empty);
  }

  #remove(session: Session, registration: Registration): void {
    registration.remove(session);
    if (session.isLink) {
      this.#forgetEmpty(registration);
      return;
    }
    this.#uninterest(registration);
    this.#meta.unregistered(session, registration);
    if (registration.callees.every(({ isLink }) => isLink)) {
      this.#meta.registrationDeleted(session, registration);
    }
  }

  #uninterest(registration: Registration): void {
    if (registration.interest.remove()) this.links.unregistered(registration);
    this.#forgetEmpty(registration);
  }

  #forgetEmpty(registration: Registration): void {
    if (!registration.isEmpty) return;
    this.registrations.delete(registration);
    this.#byId.delete(registration.id);
  }

  /** Ends what a session has left behind: its registrations, calls to it, and its own calls. */
  leave(session: Session): void {
    for (const registration of [...session.registrations]) this.#remove(session, registration);
    for (const call of [...session.invocations.values()]) {
      this.#fail(call, errors.canceled, "the callee has gone");
    }
    this.abandon(session);
  }

  /** Ends the calls of a caller that has gone. */
  abandon(caller: Caller): void {
    for (const call of [...caller.calls.values()]) {
      call.interrupt("killnowait");
      call.end();
    }
  }

  /**
   * CALL of a client, or INVOCATION of another router.
   *
   * @param details what the callee gets to know about a caller at another router.
   * @throws {WampError} the answer is an ERROR.
   * @throws {ProtocolViolation} options or arguments cannot be.
   */
  call(
    caller: Caller,
    request: number,
    options: Dict,
    procedure: string,
    payload: Payload,
    details: Dict,
  ): void {
    if (caller.calls.has(request)) {
      throw new ProtocolViolation(`CALL came with the request ${request}, which is not over yet`);
    }
    if (caller.isLink) this.#counters.callsForwarded++;
    else this.#counters.calls++;
    if (!isUri(procedure, this.#strictness)) throw invalidUri(procedure, "procedure");
    const meta = caller.isLink ? undefined : this.metaProcedures.get(procedure);
    if (meta !== undefined) return this.#callMeta(caller, request, meta, payload);
    for (const registration of this.registrations.matches(procedure)) {
      const callee = registration.choose(caller.isLink);
      if (callee === undefined) continue;
      // What cannot be encoded ends the caller's session here, before anything is noted.
      payload.encodedFor(callee.connection.lane.serializer);
      return this.#invoke(
        new PendingCall(caller, request, callee, options, registration.timers.has(callee)),
        registration,
        procedure,
        payload,
        details,
      );
    }
    throw new WampError(errors.noSuchProcedure, `nobody has registered ${procedure}`);
  }

  #callMeta(caller: Caller, request: number, meta: MetaProcedure, payload: Payload): void {
    const [args, kwargs] = payload.values();
    const results = meta(
      Array.isArray(args) ? args : [],
      (kwargs ?? {}) as Dict,
      caller,
    );
    caller.send([codes.result, request, {}], Payload.of([results]));
  }

  #invoke(
    call: PendingCall,
    registration: Registration,
    procedure: string,
    payload: Payload,
    callerDetails: Dict,
  ): void {
    const { caller, callee } = call;
    const details: Record<string, unknown> = { ...callerDetails };
    if (registration.match !== "exact") details["procedure"] = procedure;
    if (callee.isLink) {
      details["forward_for"] = [forwardedFor(caller)];
      this.#counters.invocationsToLinks++;
    }
    if (call.wantsProgress) details["receive_progress"] = true;
    if (call.isTimedByCallee && call.timeoutMs > 0) details["timeout"] = call.timeoutMs;
    const head = [codes.invocation, call.invocation, registration.id, details];
    call.begin();
    if (!callee.send(head, payload)) {
      this.#counters.tooLong++;
      this.#fail(
        call,
        errors.payloadSizeExceeded,
        "the arguments are longer than the callee takes",
      );
    } else {
      this.#limitTime(call);
    }
  }

  #limitTime(call: PendingCall): void {
    if (call.timeoutMs <= 0 || call.isTimedByCallee) return;
    call.setTimer(Math.min(call.timeoutMs, longestTimeoutMs), () => {
      call.interrupt("killnowait");
      this.#fail(call, errors.timeout, `the call has taken longer than ${call.timeoutMs} ms`);
    });
  }

  /** CANCEL of a caller. A call that is over already is no error: the two cross on the wire. */
  cancel(caller: Caller, request: number, options: Dict): void {
    const mode = options["mode"] ?? "killnowait";
    if (mode !== "skip" && mode !== "kill" && mode !== "killnowait") {
      throw new ProtocolViolation(`${shown(mode)} is no mode of CANCEL`);
    }
    const call = caller.calls.get(request);
    if (call === undefined) return;
    const isInterrupted = mode !== "skip" && call.interrupt(mode);
    if (mode === "kill" && isInterrupted) return;
    this.#fail(call, errors.canceled, "the caller has canceled the call");
  }

  /**
   * What a callee answers. An invocation that is over already is no error: it may have been canceled.
   *
   * @throws {ProtocolViolation} there has never been such an invocation.
   */
  #invocation(session: Session, request: number): PendingCall | undefined {
    const call = session.invocations.get(request);
    if (call === undefined && !session.hasRequested(request)) {
      throw new ProtocolViolation(`an answer came to the invocation ${request}, which never was`);
    }
    return call;
  }

  /** YIELD of a callee. */
  yield(session: Session, request: number, options: Dict, payload: Payload): void {
    const call = this.#invocation(session, request);
    if (call === undefined) return;
    const isProgress = options["progress"] === true;
    if (isProgress && !call.wantsProgress) {
      throw new ProtocolViolation("YIELD came with progress that the caller did not ask for");
    }
    const read = payloadDetails(options);
    const details = isProgress ? { ...read, progress: true } : read;
    if (!isProgress) call.end();
    else this.#limitTime(call);
    const isSent = this.#answer(call, [codes.result, call.request, details], payload);
    if (!isSent && isProgress) call.interrupt("killnowait");
  }

  /** ERROR of a callee. */
  error(session: Session, request: number, details: Dict, uri: string, payload: Payload): void {
    const call = this.#invocation(session, request);
    if (call === undefined) return;
    call.end();
    this.#counters.callErrors++;
    const head = [codes.error, codes.call, call.request, errorDetails(details), uri];
    this.#answer(call, head, payload);
  }

  /**
   * Passes an answer on. Where that is not possible the caller gets an error instead.
   *
   * @throws {ProtocolViolation} its arguments cannot be decoded, which ends the callee's session. A
   *   router that only passes them on is not to blame.
   */
  #answer(call: PendingCall, head: readonly unknown[], payload: Payload): boolean {
    try {
      if (call.caller.send(head, payload)) return true;
    } catch (error) {
      this.#fail(call, errors.invalidPayload, "the answer's arguments cannot be read");
      if (!call.callee.isLink) throw error;
      this.#counters.unreadable++;
      return false;
    }
    this.#counters.tooLong++;
    this.#fail(call, errors.payloadSizeExceeded, "the answer is longer than the caller takes");
    return false;
  }

  /** Ends a call with an error of the dealer. */
  #fail(call: PendingCall, uri: string, message: string): void {
    call.end();
    this.#counters.callErrors++;
    const head = [codes.error, codes.call, call.request, {}, uri];
    call.caller.send(head, Payload.of([[message]]));
  }
}
