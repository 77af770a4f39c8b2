import { messageOf } from "../../errors.ts";
import { checkRouterMessage, isDict } from "../message/check.ts";
import { codes, messageName } from "../message/codes.ts";
import { errors } from "../message/errors.ts";
import type { Dict, Event, Invocation, RouterMessage, Welcome } from "../message/message.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";
import { WampError } from "../message/wamp_error.ts";
import { cbor } from "../serialization/cbor.ts";
import { Payload } from "../serialization/payload.ts";
import type { Encoded } from "../serialization/serializer.ts";
import { dialLink, type LinkSocket } from "../transport/link_socket.ts";
import type { StandstillWatch } from "../transport/standstill.ts";
import { formatListenUrl, type ListenUrl } from "../transport/listen_url.ts";
import { routerRole } from "./authentication.ts";
import type { RouterCounters } from "./counters.ts";
import type { SigningKey } from "../cryptosign/cryptosign.ts";
import { shownDetails } from "./details.ts";
import { LinkWishes } from "./link_wishes.ts";
import type { PendingCall } from "./pending_call.ts";
import type { Realm } from "./realm.ts";
import { Receivers } from "./receivers.ts";
import type { Caller, Identity } from "./session.ts";

export interface LinkSettings {
  readonly url: ListenUrl;
  readonly realm: Realm;
  /** This router's own name, and what tells it from one of that name before it started again. */
  readonly node: string;
  readonly instance: string;
  readonly key: SigningKey;
  readonly counters: RouterCounters;
  readonly maxMessageBytes: number;
  readonly standstill: StandstillWatch;
  /** Whether another link to that node is up already. */
  isLinkedTo(node: string): boolean;
  note(line: string): void;
}

/** `self`: the address is this router's own. `duplicate`: another link leads to the same node. */
export type LinkState =
  | "connecting"
  | "joining"
  | "up"
  | "waiting"
  | "self"
  | "duplicate"
  | "ended";

/** Waits before another try; the last one is used from then on. */
const retryMs = [50, 100, 200, 400, 700, 1000];
const pingIntervalMs = 1000;
/** Pings without a sign of life before the link is given up. */
const maxSilentPings = 2;
/** How long the other router may take for the handshake. */
const joinTimeoutMs = 5000;

const roles: Dict = {
  subscriber: { features: { publisher_identification: true, pattern_based_subscription: true } },
  callee: {
    features: {
      caller_identification: true,
      call_canceling: true,
      progressive_call_results: true,
      pattern_based_registration: true,
      shared_registration: true,
    },
  },
};

/**
 * A link to another router, which this one dials: it subscribes there to what clients here want, and
 * registers there what clients here offer. Events and calls of clients there come here over it and
 * never go on to a third router; so in a full mesh each crosses one link, once.
 */
export class Link implements Caller {
  readonly url: string;
  readonly isLink = true;
  readonly calls = new Map<number, PendingCall>();
  readonly identity: Identity;
  /** What is subscribed and registered at the other router. */
  readonly wishes: LinkWishes;
  id = 0;
  state: LinkState = "connecting";
  /** The node at the other end; empty while that is not known. */
  node = "";
  #forwardFor: readonly Dict[] = [];
  /** Why it is not up; empty when it is. */
  reason = "";
  events = 0;
  /** Events since the other router began to count, which may be some connections ago. */
  #count = 0;
  /** How often it came up. */
  joined = 0;
  readonly #settings: LinkSettings;
  #socket: LinkSocket | undefined;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastNote = "";

  constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.url = formatListenUrl(settings.url);
    this.wishes = new LinkWishes(settings.realm, (message) => this.#send(message));
    this.identity = {
      authid: this.url,
      authrole: routerRole,
      authmethod: "cryptosign",
      authprovider: "static",
    };
    this.#dial();
  }

  get isUp(): boolean {
    return this.state === "up";
  }

  /** This router has stood still. */
  doubt(): void {
    this.#socket?.doubt();
  }

  stop(): void {
    this.state = "ended";
    clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  /** RESULT or ERROR of the dealer here: YIELD or ERROR for the router there. */
  send(head: readonly unknown[], payload: Payload): boolean {
    return head[0] === codes.result
      ? this.#send([codes.yield, head[1], head[2]], payload)
      : this.#send([codes.error, codes.invocation, head[2], head[3], head[4]], payload);
  }

  #dial(): void {
    const { url, maxMessageBytes, standstill, isLinkedTo } = this.#settings;
    if (this.node !== "" && isLinkedTo(this.node)) {
      // To log in there would end the other link.
      this.#isDuplicate();
      this.#timer = setTimeout(() => this.#dial(), retryMs[retryMs.length - 1]);
      return;
    }
    this.state = "connecting";
    const socket = dialLink(url, cbor, maxMessageBytes, standstill, {
      opened: () => this.#hello(),
      message: (message) => this.#received(message),
      closed: (reason) => this.#closed(reason),
    });
    this.#socket = socket;
    this.#timer = setTimeout(() => socket.terminate(), joinTimeoutMs);
  }

  #hello(): void {
    this.state = "joining";
    const { realm, node, instance, key } = this.#settings;
    this.#send([codes.hello, realm.name, {
      roles,
      authmethods: ["cryptosign"],
      authrole: routerRole,
      authextra: {
        pubkey: key.publicKey,
        x_holdfast_node: node,
        x_holdfast_instance: instance,
        // Where it goes on, if the other router still has what was missed.
        ...this.id === 0 ? {} : { x_holdfast_session: this.id, x_holdfast_events: this.#count },
      },
    }]);
  }

  #closed(reason: string): void {
    clearTimeout(this.#timer);
    const wasUp = this.state === "up";
    const { realm } = this.#settings;
    realm.dealer.abandon(this);
    this.wishes.forget();
    if (this.state === "ended" || this.state === "self") return;
    if (this.state !== "duplicate") this.state = "waiting";
    if (this.reason === "" || wasUp) this.reason = reason;
    this.#note(`no link to ${this.url}: ${this.reason}`);
    const waitMs = retryMs[Math.min(this.#tries++, retryMs.length - 1)]!;
    this.#timer = setTimeout(() => this.#dial(), waitMs * (0.75 + Math.random() / 2));
  }

  #received(encoded: Encoded): void {
    try {
      const { head, payload } = cbor.open(encoded);
      this.#handle(checkRouterMessage(head), payload);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) this.#settings.counters.failures++;
      this.reason = messageOf(error);
      this.#socket?.terminate();
    }
  }

  #handle(message: RouterMessage, payload: Payload): void {
    switch (message[0]) {
      case codes.event:
        return this.#event(message, payload);
      case codes.invocation:
        return this.#invocation(message, payload);
      case codes.interrupt:
        return this.#settings.realm.dealer.cancel(this, message[1], {
          mode: message[2]["mode"] === "kill" ? "kill" : "killnowait",
        });
      case codes.challenge: {
        const { challenge } = message[2];
        if (typeof challenge !== "string" || !/^[0-9a-f]{64}$/i.test(challenge)) {
          throw new ProtocolViolation("CHALLENGE came without 32 bytes in hex");
        }
        this.#send([codes.authenticate, this.#settings.key.answer(challenge), {}]);
        return;
      }
      case codes.welcome:
        return this.#welcome(message);
      case codes.abort:
      case codes.goodbye: {
        const text = message[1]["message"];
        this.reason = `it says ${message[2]}${typeof text === "string" ? ` (${text})` : ""}`;
        this.#socket?.terminate();
        return;
      }
      case codes.error:
        return this.wishes.answered(message[2], message);
      case codes.subscribed:
      case codes.unsubscribed:
      case codes.registered:
      case codes.unregistered:
        return this.wishes.answered(message[1], message);
    }
    throw new ProtocolViolation(`${messageName(message[0])} came over a link`);
  }

  #welcome([, session, { authextra }]: Welcome): void {
    clearTimeout(this.#timer);
    this.id = session;
    if (!isDict(authextra) || authextra["x_holdfast_resumed"] !== true) this.#count = 0;
    const node = isDict(authextra) ? authextra["x_cb_node_id"] : undefined;
    this.node = typeof node === "string" ? node : "";
    this.#forwardFor = [{ session, authid: this.node, authrole: routerRole }];
    if (this.node === this.#settings.node) {
      this.state = "self";
      this.reason = "the address is this router's own";
      this.#socket?.terminate();
      return;
    }
    if (this.#settings.isLinkedTo(this.node)) {
      this.#isDuplicate();
      this.#socket?.terminate();
      return;
    }
    this.state = "up";
    this.reason = "";
    this.#tries = 0;
    this.joined++;
    this.#watch(this.#socket!);
    void this.wishes.askAll().then(() => {
      if (this.state === "up") this.#note(`linked to ${this.node} at ${this.url}`);
    });
  }

  #isDuplicate(): void {
    this.state = "duplicate";
    this.reason = `another link leads to ${this.node}`;
  }

  /** Ends a link at whose other end nobody lives. */
  #watch(socket: LinkSocket): void {
    let heard = socket.heard;
    let silent = 0;
    const timer = setInterval(() => {
      this.#settings.standstill.check();
      if (this.#socket !== socket || this.state !== "up") return clearInterval(timer);
      silent = socket.heard === heard ? silent + 1 : 0;
      heard = socket.heard;
      if (silent <= maxSilentPings) return socket.ping();
      clearInterval(timer);
      this.reason = `nothing has come for ${silent} seconds`;
      socket.terminate();
    }, pingIntervalMs);
  }

  #event([, , id, details]: Event, payload: Payload): void {
    this.#count++;
    const { topic } = details;
    if (typeof topic !== "string") throw new ProtocolViolation("EVENT came without its topic");
    this.events++;
    const { counters, realm } = this.#settings;
    counters.publicationsForwarded++;
    realm.broker.route({
      id,
      topic,
      payload,
      publisher: this.#shown(details),
      receivers: Receivers.of(details),
      except: undefined,
      isForwarded: true,
      origin: undefined,
    });
  }

  #invocation([, request, registrationId, details]: Invocation, payload: Payload): void {
    const registration = this.wishes.registrationOf(registrationId);
    const named = details["procedure"];
    const procedure = typeof named === "string" ? named : registration?.uri;
    try {
      if (procedure === undefined) {
        // It may have been on its way when the last callee here left.
        throw new WampError(errors.noSuchProcedure, `there is no registration ${registrationId}`);
      }
      const { dealer } = this.#settings.realm;
      dealer.call(this, request, details, procedure, payload, this.#shown(details));
    } catch (error) {
      // Arguments that cannot be read are those of a client there, not of its router.
      const isUnreadable = error instanceof ProtocolViolation;
      if (!isUnreadable && !(error instanceof WampError)) throw error;
      const uri = isUnreadable ? errors.invalidPayload : error.uri;
      this.#send([codes.error, codes.invocation, request, {}, uri], Payload.of([[error.message]]));
    }
  }

  /** @returns false: it is longer than what the other router takes. */
  #send(head: readonly unknown[], payload = Payload.empty): boolean {
    return this.#socket?.send(cbor.join(head, payload)) ?? true;
  }

  /**
   * That it came over a link, they see as behind Crossbar, by `forward_for`. It names the link and its
   * router: who published or called is told only where that is disclosed.
   */
  #shown(details: Dict): Dict {
    return { forward_for: this.#forwardFor, ...shownDetails(details) };
  }

  /** The same is not said twice. */
  #note(line: string): void {
    if (line === this.#lastNote) return;
    this.#lastNote = line;
    this.#settings.note(line);
  }
}
