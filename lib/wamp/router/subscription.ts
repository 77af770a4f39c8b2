import { randomId } from "../message/id.ts";
import type { MatchPolicy } from "../message/uri.ts";
import type { Group, Lane } from "../transport/connection.ts";
import { Interest } from "./interest.ts";
import type { Matched } from "./pattern_table.ts";
import type { Session } from "./session.ts";

/** A topic or pattern, and who gets its events. */
export class Subscription implements Matched {
  readonly id = randomId();
  readonly uri: string;
  readonly match: MatchPolicy;
  readonly created = new Date();
  /** Clients by lane: what is encoded and framed once for all of them. */
  readonly groups = new Map<Lane, Group>();
  readonly clients = new Set<Session>();
  /** Routers, which get a publication once whatever number of their subscriptions it matches. */
  readonly links = new Set<Session>();
  /** Of clients. Other routers send what is published at them once they know. */
  readonly interest = new Interest();

  constructor(uri: string, match: MatchPolicy) {
    this.uri = uri;
    this.match = match;
  }

  get isEmpty(): boolean {
    return this.interest.count === 0 && this.links.size === 0;
  }

  has(session: Session): boolean {
    return this.clients.has(session) || this.links.has(session);
  }

  add(session: Session): void {
    session.subscriptions.add(this);
    if (session.isLink) {
      this.links.add(session);
      return;
    }
    this.clients.add(session);
    const { connection } = session;
    let group = this.groups.get(connection.lane);
    if (group === undefined) {
      group = connection.lane.createGroup();
      this.groups.set(connection.lane, group);
    }
    group.add(connection);
  }

  remove(session: Session): void {
    session.subscriptions.delete(this);
    if (this.links.delete(session) || !this.clients.delete(session)) return;
    const { lane } = session.connection;
    const group = this.groups.get(lane);
    group?.remove(session.connection);
    if (group?.size === 0) this.groups.delete(lane);
  }
}
