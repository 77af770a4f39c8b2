import type { NodeHistograms, NodeSnapshot } from "../snapshot.ts";
import type { NodeObserver } from "./node_observer.ts";
import type { BroadcastNodeSettings } from "./node_settings.ts";

/** One node of a benchmark at work. */
export interface RunningNode {
  readonly peerId: string;
  /** Bound multiaddresses, with `/p2p/…`. */
  readonly addresses: readonly string[];
  /** Whether a message that is broadcast now would reach every other node: the mesh has settled. */
  isConnected(): boolean;
  /**
   * Begins the plan: message 0 is due at that instant, message k `k` heartbeats later.
   *
   * @param atNs nanoseconds since `originSeconds` by the real-time clock; now when left out.
   * @param untilNs nothing falls due from then on; `finish` is still to be called.
   * @param measuredFromNs messages due before, the own and those of others, are counted and not
   * timed, and CPU use counts from then on; as the settings say when left out.
   */
  begin(atNs?: number, untilNs?: number, measuredFromNs?: number): void;
  /** All that is known now; histograms are copies. */
  snapshot(): NodeSnapshot;
  /** What was recorded in the last minute, as copies: `windows` of `metrics/node_durations.ts`. */
  windows(): NodeHistograms;
  /** Resolves when the plan of `explore` is over; never in other modes. */
  readonly planned: Promise<void>;
  /** Ends the plan: nothing further falls due, and what was due is awaited for `drainMs` at most. */
  finish(): Promise<void>;
  /** Drops the network. What was still queued is counted as dropped; `snapshot` stays valid. */
  stop(): Promise<void>;
}

export type StartNode = (
  settings: BroadcastNodeSettings,
  observer?: NodeObserver,
) => Promise<RunningNode>;
