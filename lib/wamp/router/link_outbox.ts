import type { Encoded } from "../serialization/serializer.ts";
import type { StandstillWatch } from "../transport/standstill.ts";
import type { RouterCounters } from "./counters.ts";
import type { Session } from "./session.ts";

/** How soon a publisher in doubt is looked at again. */
const againMs = 20;

/** Something of a publisher's that goes out at the end of the turn. */
interface Outgoing {
  readonly publisher: Session;
  /** An event for a link; without it, only `acknowledge`. */
  readonly link?: Session;
  readonly event?: Encoded;
  readonly acknowledge?: () => void;
}

/**
 * Hands publications to the links at the end of a turn of the event loop, in order, and acknowledges
 * them behind that: what is acknowledged is on its way even if this process dies now.
 *
 * If the process has stood still in between, they are out of date until their publisher shows that it is
 * still there: else it may have published further ones elsewhere, which overtook them.
 */
export class LinkOutbox {
  readonly #counters: RouterCounters;
  readonly #standstill: StandstillWatch;
  #turn: Outgoing[] = [];
  #inDoubt: Outgoing[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(counters: RouterCounters, standstill: StandstillWatch) {
    this.#counters = counters;
    this.#standstill = standstill;
  }

  send(publisher: Session, link: Session, event: Encoded): void {
    this.#add({ publisher, link, event });
  }

  /** Behind what has been sent of this publisher's. */
  acknowledge(publisher: Session, acknowledge: () => void): void {
    this.#add({ publisher, acknowledge });
  }

  /** This process has stood still. */
  doubt(): void {
    this.#inDoubt = this.#inDoubt.concat(this.#turn);
    this.#turn = [];
  }

  /** Now, where a link is about to change. */
  flush(): void {
    this.#standstill.check();
    if (this.#inDoubt.length > 0) this.#lookAgain();
    const turn = this.#turn;
    this.#turn = [];
    this.#carry(turn);
  }

  /** Carries what is in doubt no more, and forgets what has nobody behind it. */
  #lookAgain(): void {
    const before = this.#inDoubt;
    this.#inDoubt = before.filter(({ publisher }) => publisher.connection.isInDoubt);
    this.#carry(
      before.filter(({ publisher }) => !publisher.connection.isInDoubt && !publisher.isClosed),
    );
    if (this.#inDoubt.length === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, againMs);
  }

  #add(outgoing: Outgoing): void {
    if (this.#turn.push(outgoing) === 1) setImmediate(() => this.flush());
  }

  #carry(due: readonly Outgoing[]): void {
    const links = new Set<Session>();
    for (const { link, event } of due) {
      if (link === undefined || event === undefined) continue;
      const now = link.latest;
      if (!now.connection.send(event)) {
        this.#counters.tooLong++;
        continue;
      }
      this.#counters.eventsToLinks++;
      // A link that is lost may come back, and then gets it from there.
      now.log?.push(event);
      links.add(now);
    }
    for (const { connection } of links) connection.flush();
    for (const { acknowledge } of due) acknowledge?.();
  }
}
