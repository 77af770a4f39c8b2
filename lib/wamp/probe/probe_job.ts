import type { RunIdentity } from "../../stats/snapshot.ts";
import type { PublisherReceipts, PublisherTotal } from "./counter_book.ts";
import type { PackedProbeHistograms } from "./histograms.ts";
import type { ProbePlan } from "./plan.ts";
import type { ProbeSnapshot } from "./snapshot.ts";

/** What a process of a probe is told; plain data. */
export interface ProbeJob {
  readonly plan: ProbePlan;
  readonly run: RunIdentity;
  /** Whether it tells of each session that joins or is lost. */
  readonly debug: boolean;
}

/** What all processes have published, in the order of their publishers. */
export interface AllPublished {
  readonly totals: readonly PublisherTotal[];
}

/** What it says each second, and when its plan and its run are over. */
export interface ProbeReport {
  /** All until now, without the histograms. */
  readonly snapshot: Omit<ProbeSnapshot, "histograms">;
  /** Those of the time since the report before. */
  readonly interval?: PackedProbeHistograms;
  /** Its plan is over. */
  readonly published?: readonly PublisherTotal[];
  readonly receipts?: readonly PublisherReceipts[];
}
