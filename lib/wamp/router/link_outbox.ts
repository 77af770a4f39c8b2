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
  #doubts = 0;
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
    this.#doubts++;
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
    if (this.#inDoubt.length === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, againMs);
  }

  /** Carries what is in doubt no more, and forgets what has nobody behind it. */
  #lookAgain(): void {
    const before = this.#inDoubt;
    this.#inDoubt = before.filter(({ publisher }) => publisher.connection.isInDoubt);
    this.#carry(
      before.filter(({ publisher }) => !publisher.connection.isInDoubt && !publisher.isClosed),
    );
  }

  #add(outgoing: Outgoing): void {
    if (this.#turn.push(outgoing) === 1) setImmediate(() => this.flush());
  }

  #carry(due: readonly Outgoing[]): void {
    const byLink = new Map<Session, Outgoing[]>();
    for (const outgoing of due) {
      const link = outgoing.link?.latest;
      if (link === undefined) continue;
      const list = byLink.get(link);
      if (list === undefined) byLink.set(link, [outgoing]);
      else list.push(outgoing);
    }
    const { length } = this.#inDoubt;
    const doubts = this.#doubts;
    for (const [link, list] of byLink) {
      // To write to one wakes another process, and this one may rest for long before it goes on.
      this.#standstill.check();
      if (this.#doubts === doubts) this.#carryTo(link, list);
      else this.#inDoubt.push(...list);
    }
    const acknowledgements = due.filter(({ acknowledge }) => acknowledge !== undefined);
    if (this.#inDoubt.length > length) this.#inDoubt.push(...acknowledgements);
    else for (const { acknowledge } of acknowledgements) acknowledge!();
  }

  #carryTo(link: Session, list: readonly Outgoing[]): void {
    for (const { event } of list) {
      if (!link.connection.send(event!)) {
        this.#counters.tooLong++;
        continue;
      }
      this.#counters.eventsToLinks++;
      // A link that is lost may come back, and then gets it from there.
      link.log?.push(event!);
    }
    link.connection.flush();
  }
}
