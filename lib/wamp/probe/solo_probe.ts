import { nowNs } from "../../stats/clock.ts";
import type { RunIdentity } from "../../stats/snapshot.ts";
import type { PublisherTotal } from "./counter_book.ts";
import { LocalProbe, type ProbeObserver } from "./local_probe.ts";
import type { ProbePlan } from "./plan.ts";
import { type Probe, publisherRows, type SecondHandler } from "./probe.ts";
import type { ProbeSnapshot } from "./snapshot.ts";

/** Told of single sessions, and of the plan; times are clock times. */
export type SessionObserver = Pick<
  ProbeObserver,
  "sessionLost" | "sessionBack" | "began" | "ended"
>;

/** A probe that consists of this process alone. */
export class SoloProbe implements Probe {
  readonly #plan: ProbePlan;
  #local!: LocalProbe;
  #totals: readonly PublisherTotal[] = [];

  /** @throws {TargetUnreachableError} a host does not resolve. */
  static async create(
    plan: ProbePlan,
    run: RunIdentity,
    second: SecondHandler,
    sessions: SessionObserver = {},
  ): Promise<SoloProbe> {
    const probe = new SoloProbe(plan);
    probe.#local = await LocalProbe.create(plan, run, {
      settled: () => probe.#settled(),
      published(totals) {
        probe.#totals = totals;
        probe.#local.awaitEvents(totals);
      },
      second: (interval, snapshot) => second(interval, snapshot),
      ...sessions,
    });
    return probe;
  }

  private constructor(plan: ProbePlan) {
    this.#plan = plan;
  }

  /** The sessions, for what is done to them from outside. */
  get local(): LocalProbe {
    return this.#local;
  }

  #settled(): void {
    if (this.#local.keeper.open > 0) this.#local.begin(nowNs());
    else this.#local.finish();
  }

  snapshot(): ProbeSnapshot {
    const rows = publisherRows(this.#plan, this.#totals, [this.#local.receipts]);
    return { ...this.#local.snapshot(), publisherRows: rows };
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#local.run(signal);
  }

  close(): void {}
}
