import type { SourceTableSettings } from "../host/source_table.ts";
import type { Share } from "../load/share.ts";
import type { PackedHistograms } from "../stats/client_histograms.ts";
import type { ClientSnapshot, RunIdentity } from "../stats/snapshot.ts";
import type { ClientSettings } from "./options.ts";

/** What a worker of a client is told; plain data. */
export interface ClientJob {
  readonly endpoint: string;
  /** Those of the whole run. */
  readonly settings: ClientSettings;
  /** Content of the `--schedule` file, where there is one. */
  readonly scheduleText: string | undefined;
  readonly share: Share;
  /** What this worker's connections start from; where it is left out, the kernel chooses. */
  readonly sources: SourceTableSettings | undefined;
  readonly run: RunIdentity;
}

/** What it says each second. */
export interface ClientReport {
  /** All until now, without the histograms. */
  readonly snapshot: Omit<ClientSnapshot, "histograms">;
  /** Those of the time since the report before. */
  readonly interval: PackedHistograms;
  /** When that time ended, in nanoseconds since the start of the run. */
  readonly endNs: number;
}
