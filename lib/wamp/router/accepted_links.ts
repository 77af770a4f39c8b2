import type { Encoded } from "../serialization/serializer.ts";
import type { Broker } from "./broker.ts";
import type { LinkLog } from "./link_log.ts";
import type { Session } from "./session.ts";

/** How long the events for a link that is lost are kept. */
const keepMs = 10_000;
/** How long a link that is back may take to say which of its subscriptions it still wants. */
const renewMs = 5000;

/** A link that is back, and where it goes on. */
export interface ResumedLink {
  readonly earlier: Session;
  readonly log: LinkLog;
  /** Events that it has not received. */
  readonly missed: readonly Encoded[];
}

/** Links from other routers that were lost a moment ago, by node. */
export class AcceptedLinks {
  readonly #broker: Broker;
  readonly #lost = new Map<string, { session: Session; timer: ReturnType<typeof setTimeout> }>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Keeps what is published for a link from now on, for a while. */
  lose(session: Session): void {
    this.forget(session.node);
    const timer = setTimeout(() => this.forget(session.node), keepMs);
    timer.unref(); // a router that stops does not wait for it
    this.#lost.set(session.node, { session, timer });
  }

  /** Ends what was kept for a node. */
  forget(node: string): void {
    const lost = this.#lost.get(node);
    if (lost === undefined) return;
    clearTimeout(lost.timer);
    this.#lost.delete(node);
    this.#broker.leave(lost.session);
  }

  /**
   * Finds what a node has missed.
   *
   * @param sessionId of the link that it has lost.
   * @param received how many events it has received over it, and over those that it went on from.
   * @returns undefined: nothing is known of that link, or not enough.
   */
  resume(node: string, sessionId: unknown, received: unknown): ResumedLink | undefined {
    const session = this.#lost.get(node)?.session;
    if (session?.id !== sessionId || session?.log === undefined) return undefined;
    const missed = session.log.from(received as number);
    return missed === undefined ? undefined : { earlier: session, log: session.log, missed };
  }

  /** Hands over to a session, and sends what was missed. */
  handOver({ earlier, missed }: ResumedLink, session: Session): void {
    const lost = this.#lost.get(session.node);
    clearTimeout(lost?.timer);
    this.#lost.delete(session.node);
    earlier.successor = session;
    for (const subscription of [...earlier.subscriptions]) {
      subscription.remove(earlier);
      subscription.add(session);
      session.notRenewed.add(subscription);
    }
    for (const event of missed) session.connection.send(event);
    setTimeout(() => this.#broker.endNotRenewed(session), renewMs).unref();
  }

  stop(): void {
    for (const { timer } of this.#lost.values()) clearTimeout(timer);
    this.#lost.clear();
  }
}
