/** At most one line about a reason in this time. */
const quietMs = 1000;

/**
 * Says on stderr what was refused, without a line for each: a flood of connections must not become
 * a flood of text. What came in between two lines is added up and said by `flush`.
 */
export class RefusalNotes {
  readonly #note: (line: string) => void;
  readonly #pending = new Map<string, { count: number; saidAtMs: number }>();

  constructor(note: (line: string) => void) {
    this.#note = note;
  }

  /** @param why a sentence that is the same for all refusals of one kind. */
  add(why: string, atMs: number): void {
    let pending = this.#pending.get(why);
    if (pending === undefined) {
      // Details of peers may vary without end; what no longer fits is still in the counters.
      if (this.#pending.size >= 100) return;
      pending = { count: 0, saidAtMs: -Infinity };
      this.#pending.set(why, pending);
    }
    pending.count++;
    this.#say(why, pending, atMs);
  }

  /** Says what has waited long enough; called from time to time, and with Infinity at the end. */
  flush(atMs: number): void {
    for (const [why, pending] of this.#pending) this.#say(why, pending, atMs);
  }

  #say(why: string, pending: { count: number; saidAtMs: number }, atMs: number): void {
    if (pending.count === 0 || atMs - pending.saidAtMs < quietMs) return;
    const what = pending.count === 1 ? "a connection" : `${pending.count} connections`;
    this.#note(`refused ${what}: ${why}`);
    pending.count = 0;
    pending.saidAtMs = atMs;
  }
}
