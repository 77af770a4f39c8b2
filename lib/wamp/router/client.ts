import { checkClientMessage, isDict } from "../message/check.ts";
import { codes, messageName } from "../message/codes.ts";
import { closeReasons, errors } from "../message/errors.ts";
import { randomId } from "../message/id.ts";
import type { ClientMessage, Dict, Hello } from "../message/message.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";
import { invalidUri, isUri } from "../message/uri.ts";
import { shown } from "../message/shown.ts";
import { WampError } from "../message/wamp_error.ts";
import { Payload } from "../serialization/payload.ts";
import type { Encoded } from "../serialization/serializer.ts";
import type { Connection, Receiver } from "../transport/connection.ts";
import { type Login, routerRole } from "./authentication.ts";
import { callerDetails } from "./details.ts";
import { calleeFeatures, routerRoles } from "./features.ts";
import { LinkLog } from "./link_log.ts";
import { notAuthorized } from "./not_authorized.ts";
import type { Realm } from "./realm.ts";
import type { Router } from "./router.ts";
import { Session } from "./session.ts";

/** How long a client may take until it has joined, and for its answer to GOODBYE. */
const patienceMs = 10_000;

/** A router that dials a link pings it each second; without a sign for this long it is gone. */
const linkSilenceMs = 3000;

type State =
  | { readonly name: "hello" }
  | { readonly name: "authenticate"; readonly hello: Hello; readonly login: Login; realm: Realm }
  | { readonly name: "joined"; readonly session: Session; readonly realm: Realm }
  /** The router has said GOODBYE. */
  | { readonly name: "closing" }
  | { readonly name: "ended" };

/** The messages of one connection: HELLO to GOODBYE. */
export class RouterClient implements Receiver {
  readonly #router: Router;
  readonly #connection: Connection;
  readonly #sessionId = randomId();
  #state: State = { name: "hello" };
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(router: Router, connection: Connection) {
    this.#router = router;
    this.#connection = connection;
    this.#limitTime();
  }

  /** Whatever a message does, it ends this session at most. */
  message(message: Encoded): void {
    if (this.#state.name === "ended") return;
    try {
      this.#read(message);
    } catch (error) {
      if (error instanceof ProtocolViolation) this.#abort(error.uri, error.message);
      else if (error instanceof WampError) this.#abort(error.uri, error.message);
      else {
        this.#router.failed(error);
        this.#abort(errors.protocolViolation, "the router has failed to handle a message");
      }
    }
  }

  /** The router has stood still. */
  doubt(): void {
    this.#connection.doubt();
  }

  closed(): void {
    const state = this.#state;
    if (state.name === "joined") state.realm.lose(state.session);
    this.#leave();
  }

  /** The router ends the session, as it does when it stops. */
  goodbye(reason: string, message?: string): void {
    if (this.#state.name !== "joined") {
      this.#connection.close();
      return;
    }
    this.#leave();
    this.#state = { name: "closing" };
    this.#limitTime();
    const details = message === undefined ? {} : { message };
    this.#send([codes.goodbye, details, reason]);
  }

  #read(encoded: Encoded): void {
    const { head, payload } = this.#connection.lane.serializer.open(encoded);
    const message = checkClientMessage(head);
    const state = this.#state;
    switch (state.name) {
      case "joined":
        return this.#inSession(state.session, state.realm, message, payload);
      case "hello":
        if (message[0] === codes.hello) return this.#hello(message);
        break;
      case "authenticate":
        if (message[0] === codes.authenticate) {
          const identity = state.realm.authentication.finish(state.login, message[1]);
          return this.#welcome(state.realm, state.hello, identity);
        }
        break;
      case "closing":
        // Anything else crossed the router's GOODBYE on the wire.
        if (message[0] === codes.goodbye) this.#end();
        return;
    }
    if (message[0] === codes.abort) return this.#end();
    throw new ProtocolViolation(`${messageName(message[0])} came before the session was open`);
  }

  #hello(hello: Hello): void {
    const [, realmName, details] = hello;
    const realm = this.#router.realmOf(realmName);
    if (realm === undefined) {
      if (!isUri(realmName)) throw invalidUri(realmName, "realm");
      throw new WampError(errors.noSuchRealm, `there is no realm ${shown(realmName)}`);
    }
    const roles = details["roles"];
    if (!isDict(roles) || !Object.values(roles).every(isDict)) {
      throw new ProtocolViolation("HELLO came without the roles of the client");
    }
    const admission = realm.authentication.begin(details, this.#sessionId);
    if (admission.kind === "welcome") return this.#welcome(realm, hello, admission.identity);
    this.#state = { name: "authenticate", hello, login: admission.login, realm };
    const extra = { challenge: admission.challenge, channel_binding: null };
    this.#send([codes.challenge, "cryptosign", extra]);
  }

  #welcome(realm: Realm, [, , details]: Hello, identity: Session["identity"]): void {
    clearTimeout(this.#timer);
    const { authextra } = details;
    const isLink = identity.authrole === routerRole;
    const extra = isDict(authextra) ? authextra : {};
    const node = isLink ? String(extra["x_holdfast_node"] ?? this.#sessionId) : "";
    const instance = extra["x_holdfast_instance"];
    const resumed = isLink
      ? realm.beginLink(node, instance, extra["x_holdfast_session"], extra["x_holdfast_events"])
      : undefined;
    const session = new Session({
      id: this.#sessionId,
      identity,
      role: realm.roleOf(identity.authrole),
      connection: this.#connection,
      isLink,
      node,
      instance: isLink ? instance : undefined,
      log: isLink ? resumed?.log ?? new LinkLog() : undefined,
      features: calleeFeatures(details["roles"] as Dict),
      close: (reason, message) => this.goodbye(reason, message),
    });
    this.#state = { name: "joined", session, realm };
    this.#send([codes.welcome, session.id, {
      realm: realm.name,
      ...identity,
      roles: routerRoles,
      authextra: {
        x_cb_node_id: this.#router.node,
        x_cb_node: this.#router.node,
        x_cb_pid: this.#router.pid,
        x_cb_peer: this.#connection.peer,
        x_cb_worker: "router",
        ...resumed === undefined ? {} : { x_holdfast_resumed: true },
      },
    }]);
    realm.join(session);
    if (resumed !== undefined) realm.links.handOver(resumed, session);
    if (isLink) this.#watchLink();
  }

  #watchLink(): void {
    let activity = this.#connection.activity;
    const timer = setInterval(() => {
      this.#router.checkStandstill();
      if (this.#state.name !== "joined") return clearInterval(timer);
      if (this.#connection.activity === activity) this.#connection.terminate();
      activity = this.#connection.activity;
    }, linkSilenceMs);
  }

  #inSession(session: Session, realm: Realm, message: ClientMessage, payload: Payload): void {
    const { broker, dealer } = realm;
    try {
      switch (message[0]) {
        case codes.publish:
          return broker.publish(session, message[1], message[2], message[3], payload);
        case codes.call: {
          const [, request, options, procedure] = message;
          if (!session.role.may("call", procedure)) {
            throw notAuthorized("call", procedure);
          }
          const isDisclosed = options["disclose_me"] === true ||
            session.role.discloses("caller", procedure);
          const details = callerDetails(options, isDisclosed ? session : undefined);
          return dealer.call(session, request, options, procedure, payload, details);
        }
        case codes.yield:
          return dealer.yield(session, message[1], message[2], payload);
        case codes.subscribe:
          return broker.subscribe(session, message[1], message[2], message[3]);
        case codes.unsubscribe:
          return broker.unsubscribe(session, message[1], message[2]);
        case codes.register:
          return dealer.register(session, message[1], message[2], message[3]);
        case codes.unregister:
          return dealer.unregister(session, message[1], message[2]);
        case codes.cancel:
          return dealer.cancel(session, message[1], message[2]);
        case codes.error:
          if (message[1] !== codes.invocation) {
            throw new ProtocolViolation(`ERROR came for ${messageName(message[1])}`);
          }
          return dealer.error(session, message[2], message[3], message[4], payload);
        case codes.goodbye:
          this.#leave();
          this.#send([codes.goodbye, {}, closeReasons.goodbyeAndOut]);
          return this.#end();
        case codes.abort:
          return this.#end();
      }
    } catch (error) {
      if (!(error instanceof WampError)) throw error;
      this.#refuse(message, error);
      return;
    }
    throw new ProtocolViolation(`${messageName(message[0])} came in an open session`);
  }

  /** ERROR as the answer to a request; a publication without acknowledgement has none. */
  #refuse(message: ClientMessage, { uri, args }: WampError): void {
    if (message[0] === codes.publish && message[2]["acknowledge"] !== true) return;
    if (message[0] === codes.call) this.#router.counters.callErrors++;
    const head = [codes.error, message[0], message[1], {}, uri];
    this.#send(head, Payload.of([args]));
  }

  #abort(reason: string, message: string): void {
    this.#router.counters.sessionsAborted++;
    this.#leave();
    this.#send([codes.abort, { message }, reason]);
    this.#end();
  }

  #leave(): void {
    clearTimeout(this.#timer);
    const state = this.#state;
    this.#state = { name: "ended" };
    if (state.name === "joined") state.realm.leave(state.session);
  }

  #end(): void {
    this.#leave();
    this.#connection.close();
  }

  #limitTime(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connection.terminate(), patienceMs);
  }

  #send(head: readonly unknown[], payload = Payload.empty): void {
    this.#connection.send(this.#connection.lane.serializer.join(head, payload));
  }
}
