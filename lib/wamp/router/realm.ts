import type { UriStrictness } from "../message/uri.ts";
import { AcceptedLinks, type ResumedLink } from "./accepted_links.ts";
import { Authentication, type AuthenticationSettings, routerRole } from "./authentication.ts";
import { Broker } from "./broker.ts";
import type { StandstillWatch } from "../transport/standstill.ts";
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
  /** From other routers. */
  readonly links: AcceptedLinks;
  readonly sessions = new Map<number, Session>();
  readonly #roles: ReadonlyMap<string, Role>;
  readonly #meta = new MetaEvents();
  readonly #counters: RouterCounters;

  constructor(settings: RealmSettings, counters: RouterCounters, standstill: StandstillWatch) {
    this.name = settings.name;
    this.authentication = new Authentication(settings);
    this.#roles = new Map(settings.roles.map((role) => [role.name, role]));
    this.#counters = counters;
    this.broker = new Broker(counters, this.#meta, noLinks, settings.uris, standstill);
    this.dealer = new Dealer(counters, this.#meta, noLinks, settings.uris);
    this.#meta.publishTo(this.broker);
    this.links = new AcceptedLinks(this.broker);
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

  /**
   * Begins a link from another router. An earlier one from there has ended, even if that does not show
   * here yet.
   *
   * @param instance of the other router. Links of the same one go on beside each other, unless it says
   * that this one follows another: of two addresses that lead here, it ends one itself.
   * @param sessionId of the earlier link, where the other router tells it.
   * @param received how many events came over it.
   * @returns where it goes on; undefined: from the beginning.
   */
  beginLink(
    node: string,
    instance: unknown,
    sessionId: unknown,
    received: unknown,
  ): ResumedLink | undefined {
    this.broker.linkOutbox.flush();
    for (const session of [...this.sessions.values()]) {
      if (!session.isLink || session.node !== node) continue;
      const isBeside = instance !== undefined && session.instance === instance;
      if (isBeside && session.id !== sessionId) continue;
      this.lose(session);
      session.connection.terminate();
    }
    const resumed = this.links.resume(node, sessionId, received);
    if (resumed === undefined) this.links.forget(node);
    return resumed;
  }

  join(session: Session): void {
    this.sessions.set(session.id, session);
    if (session.isLink) return;
    this.#counters.sessionsOpened++;
    this.#meta.joined(session);
  }

  /** The connection of a session has ended without a word: a link may come back. */
  lose(session: Session): void {
    if (!session.isLink) return this.leave(session);
    if (!this.sessions.delete(session.id)) return;
    session.isClosed = true;
    this.dealer.leave(session);
    this.links.lose(session);
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
}
