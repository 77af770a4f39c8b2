import type { RunIdentity, ServerSnapshot } from "../stats/snapshot.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { CertificatePair } from "../transport/transport.ts";
import type { ServerSettings } from "./options.ts";

export interface ServingSettings {
  readonly endpoints: readonly Endpoint[];
  readonly settings: ServerSettings;
  /** Where an endpoint needs one. */
  readonly certificate: CertificatePair | undefined;
  readonly run: RunIdentity;
  /** What clients that ask are told; undefined: nothing. */
  readonly serverId: string | undefined;
  /** When the run started (clock time, nanoseconds). */
  readonly startNs: number;
  /** A line for the user. */
  readonly note: (line: string) => void;
}

/** Endpoints that are served, by this process or by several workers. */
export interface Serving {
  /** The endpoints as bound. */
  readonly names: readonly string[];
  /** Resolves when nothing is served any more, and why. */
  readonly failed?: Promise<Error>;
  /** All that is known now. */
  snapshot(): ServerSnapshot;
  /** Accepts nobody new, ends every connection and frees the ports. */
  stop(): Promise<void>;
}
