import { publicationId } from "../message/id.ts";
import type { Dict } from "../message/message.ts";
import { Payload } from "../serialization/payload.ts";
import type { Broker } from "./broker.ts";
import type { Registration } from "./registration.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";

/** Events of the router about itself (specification, the sections on meta APIs). */
export class MetaEvents {
  #broker: Broker | undefined;

  /** The broker needs these events, and they need it. */
  publishTo(broker: Broker): void {
    this.#broker = broker;
  }

  joined(session: Session): void {
    this.#publish("wamp.session.on_join", () => [sessionDetails(session)]);
  }

  left({ id, identity: { authid, authrole } }: Session): void {
    this.#publish("wamp.session.on_leave", () => [id, authid, authrole]);
  }

  subscriptionCreated(session: Session, subscription: Subscription): void {
    this.#publish(
      "wamp.subscription.on_create",
      () => [session.id, subscriptionDetails(subscription)],
    );
  }

  subscribed(session: Session, { id }: Subscription): void {
    this.#publish("wamp.subscription.on_subscribe", () => [session.id, id]);
  }

  unsubscribed(session: Session, { id }: Subscription): void {
    this.#publish("wamp.subscription.on_unsubscribe", () => [session.id, id]);
  }

  subscriptionDeleted(session: Session, { id }: Subscription): void {
    this.#publish("wamp.subscription.on_delete", () => [session.id, id]);
  }

  registrationCreated(session: Session, registration: Registration): void {
    this.#publish(
      "wamp.registration.on_create",
      () => [session.id, registrationDetails(registration)],
    );
  }

  registered(session: Session, { id }: Registration): void {
    this.#publish("wamp.registration.on_register", () => [session.id, id]);
  }

  unregistered(session: Session, { id }: Registration): void {
    this.#publish("wamp.registration.on_unregister", () => [session.id, id]);
  }

  registrationDeleted(session: Session, { id }: Registration): void {
    this.#publish("wamp.registration.on_delete", () => [session.id, id]);
  }

  /** @param args are made only where somebody listens. */
  #publish(topic: string, args: () => readonly unknown[]): void {
    const broker = this.#broker!;
    if (broker.subscriptions.matches(topic).length === 0) return;
    broker.route({
      id: publicationId(),
      topic,
      payload: Payload.of([args()]),
      publisher: {},
      receivers: undefined,
      except: undefined,
      isForwarded: false,
      // Each router tells of its own sessions only.
      origin: undefined,
    });
  }
}

export function sessionDetails({ id, identity, connection }: Session): Dict {
  return {
    session: id,
    authid: identity.authid,
    authrole: identity.authrole,
    authmethod: identity.authmethod,
    authprovider: identity.authprovider,
    transport: {
      type: connection.kind,
      peer: connection.peer,
      serializer: connection.lane.serializer.name,
    },
  };
}

export function subscriptionDetails({ id, created, uri, match }: Subscription): Dict {
  return { id, created: created.toISOString(), uri, match };
}

export function registrationDetails({ id, created, uri, match, invoke }: Registration): Dict {
  return { id, created: created.toISOString(), uri, match, invoke };
}
