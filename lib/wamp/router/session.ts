import type { Payload } from "../serialization/payload.ts";
import type { Connection } from "../transport/connection.ts";
import type { CalleeFeatures } from "./features.ts";
import type { LinkLog } from "./link_log.ts";
import type { PendingCall } from "./pending_call.ts";
import type { Registration } from "./registration.ts";
import type { Role } from "./role.ts";
import type { Subscription } from "./subscription.ts";

/** Who a session is, as authentication found. */
export interface Identity {
  readonly authid: string;
  readonly authrole: string;
  readonly authmethod: string;
  readonly authprovider: string;
}

/** Whoever has calls outstanding at the dealer: a session, or the other end of a link. */
export interface Caller {
  readonly id: number;
  readonly identity: Identity;
  /** Whether calls came from another router: those are not sent to routers again. */
  readonly isLink: boolean;
  /** By the caller's own request. */
  readonly calls: Map<number, PendingCall>;
  /**
   * RESULT or ERROR.
   *
   * @returns false: it is longer than what the peer takes, and not sent.
   */
  send(head: readonly unknown[], payload: Payload): boolean;
}

/** A session of a client, or of another router, that has joined a realm. */
export class Session implements Caller {
  readonly id: number;
  readonly identity: Identity;
  readonly role: Role;
  readonly connection: Connection;
  readonly isLink: boolean;
  /** The node of a link, and which of its lives: a router that starts again is another instance. */
  readonly node: string;
  readonly instance: unknown;
  readonly features: CalleeFeatures;
  readonly subscriptions = new Set<Subscription>();
  readonly registrations = new Set<Registration>();
  readonly calls = new Map<number, PendingCall>();
  /** By the request of INVOCATION. */
  readonly invocations = new Map<number, PendingCall>();
  /** Of a link: what was sent over it, and subscriptions that it has not asked for again. */
  readonly log: LinkLog | undefined;
  readonly notRenewed = new Set<Subscription>();
  /** Of a link: the one that went on with it after it was lost. */
  successor: Session | undefined;
  /** It has left its realm. */
  isClosed = false;
  readonly #close: (reason: string, message?: string) => void;
  #lastRequest = 0;

  constructor(
    { id, identity, role, connection, isLink, node, instance, features, log, close }: {
      readonly id: number;
      readonly identity: Identity;
      readonly role: Role;
      readonly connection: Connection;
      readonly isLink: boolean;
      readonly node: string;
      readonly instance: unknown;
      readonly features: CalleeFeatures;
      readonly log: LinkLog | undefined;
      close(reason: string, message?: string): void;
    },
  ) {
    this.id = id;
    this.identity = identity;
    this.role = role;
    this.connection = connection;
    this.isLink = isLink;
    this.node = node;
    this.instance = instance;
    this.features = features;
    this.log = log;
    this.#close = close;
  }

  /** Of a link: this session, or the one that goes on with it now. */
  get latest(): Session {
    return this.successor?.latest ?? this;
  }

  /** A request of the router's own: counts from 1. */
  nextRequest(): number {
    return ++this.#lastRequest;
  }

  /** Whether the router has made such a request; its answer may have come already. */
  hasRequested(request: number): boolean {
    return request >= 1 && request <= this.#lastRequest;
  }

  send(head: readonly unknown[], payload: Payload): boolean {
    const { connection } = this;
    return connection.send(connection.lane.serializer.join(head, payload));
  }

  /** The router ends it: GOODBYE, and the connection when the client has answered. */
  close(reason: string, message?: string): void {
    this.#close(reason, message);
  }
}
