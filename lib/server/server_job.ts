import type { RunIdentity, ServerSnapshot } from "../stats/snapshot.ts";
import type { CertificatePair } from "../transport/transport.ts";
import type { ServerSettings } from "./options.ts";

/** What a worker of a server is told; plain data. */
export interface ServerJob {
  /** What it listens on. */
  readonly endpoints: readonly string[];
  /** Its share of the limits. */
  readonly settings: ServerSettings;
  readonly certificate: CertificatePair | undefined;
  readonly run: RunIdentity;
  /** The same for all workers: they are one server. */
  readonly serverId: string | undefined;
  /** When the run started, on the clock that all processes share. */
  readonly startNs: number;
}

/** What it says each second; endpoints in the order of the job, as bound. */
export type ServerReport = ServerSnapshot;
