import type { UriStrictness } from "../message/uri.ts";
import { Authentication, type AuthenticationSettings, routerRole } from "./authentication.ts";
import { Broker } from "./broker.ts";
import type { RouterCounters } from "./counters.ts";
import { Dealer } from "./dealer.ts";
import { type LinkedRouters, noLinks } from "./links.ts";
import { MetaEvents } from "./meta_events.ts";
import { metaProcedures } from "./meta_procedures.ts";
import { Role } from "./role.ts";
import type { Session } from "./session.ts";

export interface RealmSettings extends AuthenticationSettings {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly uris: UriStrictness;
}

/** Sessions that can reach each other. */
export class Realm {
  readonly name: string;
  readonly authentication: Authentication;
  readonly broker: Broker;
  readonly dealer: Dealer;
  readonly sessions = new Map<number, Session>();
  readonly #roles: ReadonlyMap<string, Role>;
  readonly #meta = new MetaEvents();
  readonly #counters: RouterCounters;

  constructor(settings: RealmSettings, counters: RouterCounters) {
    this.name = settings.name;
    this.authentication = new Authentication(settings);
    this.#roles = new Map(settings.roles.map((role) => [role.name, role]));
    this.#counters = counters;
    this.broker = new Broker(counters, this.#meta, noLinks, settings.uris);
    this.dealer = new Dealer(counters, this.#meta, noLinks, settings.uris);
    this.#meta.publishTo(this.broker);
    this.dealer.metaProcedures = metaProcedures(this.sessions, this.broker, this.dealer);
  }

  /** Has other routers told what the clients here want and offer. */
  linkTo(links: LinkedRouters): void {
    this.broker.links = links;
    this.dealer.links = links;
  }

  /** What sessions with this role may do; nothing, where the role is not declared. */
  roleOf(name: string): Role {
    return this.#roles.get(name) ??
      (name === routerRole ? Role.unrestricted(name) : new Role(name, []));
  }

  join(session: Session): void {
    if (session.isLink) this.#endEarlierLink(session);
    this.sessions.set(session.id, session);
    if (session.isLink) return;
    this.#counters.sessionsOpened++;
    this.#meta.joined(session);
  }

  leave(session: Session): void {
    if (!this.sessions.delete(session.id)) return;
    session.isClosed = true;
    this.broker.leave(session);
    this.dealer.leave(session);
    if (session.isLink) return;
    this.#counters.sessionsClosed++;
    this.#meta.left(session);
  }

  /** A node that links again has lost its earlier link, even if that does not show here yet. */
  #endEarlierLink({ node }: Session): void {
    for (const session of [...this.sessions.values()]) {
      if (!session.isLink || session.node !== node) continue;
      this.leave(session);
      session.connection.terminate();
    }
  }
}
