import { randomId } from "../message/id.ts";
import type { MatchPolicy } from "../message/uri.ts";
import { Interest } from "./interest.ts";
import type { Matched } from "./pattern_table.ts";
import type { Session } from "./session.ts";

/** How a callee is chosen among several (specification, section "Shared Registration"). */
export const invocationPolicies = ["single", "roundrobin", "random", "first", "last"] as const;
export type InvocationPolicy = (typeof invocationPolicies)[number];

/** A procedure or pattern, and who answers its calls. */
export class Registration implements Matched {
  readonly id = randomId();
  readonly uri: string;
  readonly match: MatchPolicy;
  readonly invoke: InvocationPolicy;
  readonly created = new Date();
  /** In the order in which they registered. */
  readonly callees: Session[] = [];
  /** Those that handle time limits themselves (`forward_timeout`). */
  readonly timers = new Set<Session>();
  /** Of clients. Other routers send calls once they know. */
  readonly interest = new Interest();
  #next = 0;

  constructor(uri: string, match: MatchPolicy, invoke: InvocationPolicy) {
    this.uri = uri;
    this.match = match;
    this.invoke = invoke;
  }

  get isEmpty(): boolean {
    return this.interest.count === 0 && this.callees.length === 0;
  }

  has(session: Session): boolean {
    return this.callees.includes(session);
  }

  add(session: Session, handlesTimeouts: boolean): void {
    this.callees.push(session);
    if (handlesTimeouts) this.timers.add(session);
    session.registrations.add(this);
  }

  remove(session: Session): void {
    session.registrations.delete(this);
    this.timers.delete(session);
    const index = this.callees.indexOf(session);
    if (index < 0) return;
    this.callees.splice(index, 1);
    if (index < this.#next) this.#next--;
  }

  /**
   * Who answers the next call.
   *
   * @param isLocal only clients of this router: the call came from another one.
   * @returns undefined where there is none.
   */
  choose(isLocal: boolean): Session | undefined {
    const callees = isLocal ? this.callees.filter(({ isLink }) => !isLink) : this.callees;
    switch (this.invoke) {
      case "single":
      case "first":
        return callees[0];
      case "last":
        return callees[callees.length - 1];
      case "random":
        return callees[Math.floor(Math.random() * callees.length)];
      case "roundrobin": {
        if (callees.length === 0) return undefined;
        this.#next %= callees.length;
        return callees[this.#next++];
      }
    }
  }
}
