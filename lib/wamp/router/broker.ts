import { codes } from "../message/codes.ts";
import { errors } from "../message/errors.ts";
import { publicationId } from "../message/id.ts";
import type { Dict } from "../message/message.ts";
import { invalidUri, isPattern, isReserved, isUri, type UriStrictness } from "../message/uri.ts";
import { WampError } from "../message/wamp_error.ts";
import { Payload } from "../serialization/payload.ts";
import type { Encoded, Serializer } from "../serialization/serializer.ts";
import type { StandstillWatch } from "../transport/standstill.ts";
import type { RouterCounters } from "./counters.ts";
import { forwardedFor, publisherDetails } from "./details.ts";
import { LinkOutbox } from "./link_outbox.ts";
import type { LinkedRouters } from "./links.ts";
import { matchPolicyOf } from "./match_policy.ts";
import type { MetaEvents } from "./meta_events.ts";
import { notAuthorized } from "./not_authorized.ts";
import { Outbox } from "./outbox.ts";
import { PatternTable } from "./pattern_table.ts";
import { Receivers } from "./receivers.ts";
import type { Session } from "./session.ts";
import { Subscription } from "./subscription.ts";

/** A publication on its way to subscribers. */
export interface Publication {
  readonly id: number;
  readonly topic: string;
  readonly payload: Payload;
  /** Who published, where subscribers may know. */
  readonly publisher: Dict;
  /** Undefined: everybody. */
  readonly receivers: Receivers | undefined;
  /** The publisher, where it does not get its own event. */
  readonly except: Session | undefined;
  /** It came from another router. */
  readonly isForwarded: boolean;
  /** For whom other routers get it; undefined: they do not. */
  readonly origin: Session | undefined;
}

/** Publishes and subscribes in one realm. */
export class Broker {
  readonly subscriptions = new PatternTable<Subscription>();
  readonly #byId = new Map<number, Subscription>();
  readonly #counters: RouterCounters;
  readonly #meta: MetaEvents;
  readonly #strictness: UriStrictness;
  readonly #outbox: Outbox;
  readonly linkOutbox: LinkOutbox;
  links: LinkedRouters;

  constructor(
    counters: RouterCounters,
    meta: MetaEvents,
    links: LinkedRouters,
    strictness: UriStrictness,
    standstill: StandstillWatch,
  ) {
    this.#counters = counters;
    this.#meta = meta;
    this.links = links;
    this.#strictness = strictness;
    this.#outbox = new Outbox(counters);
    this.linkOutbox = new LinkOutbox(counters, standstill);
  }

  subscriptionOf(id: number): Subscription | undefined {
    return this.#byId.get(id);
  }

  /** @throws {WampError} the answer is an ERROR. */
  subscribe(session: Session, request: number, options: Dict, topic: string): void {
    const match = matchPolicyOf(options);
    if (!isPattern(topic, match, this.#strictness)) throw invalidUri(topic, "topic");
    if (!session.role.may("subscribe", topic, match)) throw notAuthorized("subscribe to", topic);
    const known = this.subscriptions.get(topic, match);
    const subscription = known ?? new Subscription(topic, match);
    if (known === undefined) {
      this.subscriptions.add(subscription);
      this.#byId.set(subscription.id, subscription);
    }
    if (session.isLink || subscription.has(session)) {
      session.notRenewed.delete(subscription);
      subscription.add(session);
      session.send([codes.subscribed, request, subscription.id], Payload.empty);
      return;
    }
    subscription.interest.add(
      () => this.links.subscribed(subscription),
      () => this.#join(session, request, subscription),
    );
  }

  #join(session: Session, request: number, subscription: Subscription): void {
    const isKnown = subscription.has(session);
    if (session.isClosed || isKnown) this.#uninterest(subscription);
    if (session.isClosed) return;
    const isFirst = subscription.clients.size === 0;
    subscription.add(session);
    // Before any event, which may be one about this very subscription.
    session.send([codes.subscribed, request, subscription.id], Payload.empty);
    if (isKnown) return;
    if (isFirst) this.#meta.subscriptionCreated(session, subscription);
    this.#meta.subscribed(session, subscription);
  }

  /** @throws {WampError} the answer is an ERROR. */
  unsubscribe(session: Session, request: number, id: number): void {
    const subscription = this.#byId.get(id);
    if (subscription === undefined || !subscription.has(session)) {
      throw new WampError(errors.noSuchSubscription, `there is no subscription ${id}`);
    }
    this.#remove(session, subscription);
    session.send([codes.unsubscribed, request], Payload.empty);
  }

  /** Ends all subscriptions of a session that has gone. */
  leave(session: Session): void {
    for (const subscription of [...session.subscriptions]) this.#remove(session, subscription);
  }

  /** Ends subscriptions of a link that came back and does not want them any more. */
  endNotRenewed(session: Session): void {
    for (const subscription of session.notRenewed) {
      if (subscription.has(session)) this.#remove(session, subscription);
    }
    session.notRenewed.clear();
  }

  #remove(session: Session, subscription: Subscription): void {
    subscription.remove(session);
    if (session.isLink) {
      this.#forgetEmpty(subscription);
      return;
    }
    this.#uninterest(subscription);
    this.#meta.unsubscribed(session, subscription);
    if (subscription.clients.size === 0) this.#meta.subscriptionDeleted(session, subscription);
  }

  #uninterest(subscription: Subscription): void {
    if (!subscription.interest.remove()) return;
    this.links.unsubscribed(subscription);
    this.#forgetEmpty(subscription);
  }

  #forgetEmpty(subscription: Subscription): void {
    if (!subscription.isEmpty) return;
    this.subscriptions.delete(subscription);
    this.#byId.delete(subscription.id);
  }

  /**
   * PUBLISH of a client.
   *
   * @throws {WampError} the answer is an ERROR, where one was asked for.
   * @throws {ProtocolViolation} options or arguments cannot be.
   */
  publish(
    session: Session,
    request: number,
    options: Dict,
    topic: string,
    payload: Payload,
  ): void {
    if (!isUri(topic, this.#strictness)) throw invalidUri(topic, "topic");
    if (isReserved(topic)) throw invalidUri(topic, "topic that a client may publish to");
    if (!session.role.may("publish", topic)) throw notAuthorized("publish to", topic);
    this.#counters.publications++;
    const isDisclosed = options["disclose_me"] === true ||
      session.role.discloses("publisher", topic);
    const id = publicationId();
    const isLinked = this.route({
      id,
      topic,
      payload,
      publisher: publisherDetails(options, isDisclosed ? session : undefined),
      receivers: Receivers.of(options),
      except: options["exclude_me"] === false ? undefined : session,
      isForwarded: false,
      origin: session,
    });
    if (options["acknowledge"] !== true) return;
    const acknowledge = () => session.send([codes.published, request, id], Payload.empty);
    // Behind the event, so that what is acknowledged is on its way even if this process dies now.
    this.#outbox.then(() => {
      if (isLinked) this.linkOutbox.acknowledge(session, acknowledge);
      else acknowledge();
    });
  }

  /**
   * Sends a publication to all whom its topic matches: one encoding for each serializer.
   *
   * @returns whether other routers get it too.
   * @throws {ProtocolViolation} the arguments of a publication of this router's client cannot be read.
   */
  route(publication: Publication): boolean {
    const matches = this.subscriptions.matches(publication.topic);
    if (matches.length === 0) return false;
    const { payload, origin } = publication;
    // What cannot be encoded for some of them is sent to none.
    try {
      for (const { groups } of matches) {
        for (const { serializer } of groups.keys()) payload.encodedFor(serializer);
      }
    } catch (error) {
      // Its publisher is out of reach, and the router that passed it on is not to blame.
      if (!publication.isForwarded) throw error;
      this.#counters.unreadable++;
      return false;
    }
    const isLinked = origin !== undefined && this.#toLinks(matches, publication, origin);
    for (const subscription of matches) {
      if (subscription.clients.size > 0) this.#toClients(subscription, publication);
    }
    return isLinked;
  }

  #toClients(subscription: Subscription, publication: Publication): void {
    const { receivers, except, payload, isForwarded } = publication;
    const details = subscription.match === "exact"
      ? publication.publisher
      : { ...publication.publisher, topic: publication.topic };
    const head = [codes.event, subscription.id, publication.id, details];
    const encoded: Encodings = [undefined, undefined, undefined];
    if (receivers === undefined) {
      for (const [lane, group] of subscription.groups) {
        const event = encodedOnce(encoded, lane.serializer, head, payload);
        this.#outbox.publish(group, event, except?.connection, isForwarded);
      }
      return;
    }
    this.#outbox.then(() => {
      for (const session of subscription.clients) {
        if (session === except || !receivers.includes(session)) continue;
        const { connection } = session;
        const event = encodedOnce(encoded, connection.lane.serializer, head, payload);
        if (!connection.send(event)) this.#counters.tooLong++;
        else if (isForwarded) this.#counters.eventsForwarded++;
        else this.#counters.eventsLocal++;
      }
    });
  }

  /** A router gets a publication once, however many of its subscriptions match. */
  #toLinks(
    matches: readonly Subscription[],
    { id, topic, payload, publisher, receivers }: Publication,
    origin: Session,
  ): boolean {
    let sent: Set<Session> | undefined;
    let head: readonly unknown[] | undefined;
    const encoded: Encodings = [undefined, undefined, undefined];
    for (const subscription of matches) {
      for (const session of subscription.links) {
        if (sent?.has(session)) continue;
        (sent ??= new Set()).add(session);
        head ??= [codes.event, subscription.id, id, {
          ...publisher,
          ...receivers?.options,
          topic,
          forward_for: [forwardedFor(origin)],
        }];
        const { connection } = session;
        const event = encodedOnce(encoded, connection.lane.serializer, head, payload);
        this.linkOutbox.send(origin, session, event);
      }
    }
    return sent !== undefined;
  }
}

/** Encodings of one message, by index of the serializer. */
type Encodings = [Encoded | undefined, Encoded | undefined, Encoded | undefined];

function encodedOnce(
  encoded: Encodings,
  serializer: Serializer,
  head: readonly unknown[],
  payload: Payload,
): Encoded {
  return encoded[serializer.index] ??= serializer.join(head, payload);
}
