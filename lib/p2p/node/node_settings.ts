import type { RunIdentity } from "../../stats/snapshot.ts";
import type { ExploreSettings } from "../explore_plan.ts";
import type { Mode } from "../mode.ts";
import type { Forwarding, NetworkProtocol } from "../network/network.ts";

/** What one node of a benchmark is to do. */
export interface BroadcastNodeSettings {
  readonly run: RunIdentity;
  readonly nodeId: number;
  readonly numNodes: number;
  readonly protocol: NetworkProtocol;
  readonly listenHost: string;
  /** 0: any free port. */
  readonly listenPort: number;
  /** Multiaddresses of the other peers; the own one may be among them. */
  readonly bootstrap: readonly string[];
  readonly quic: boolean;
  readonly mode: Mode;
  /** The node that broadcasts in `one` and `explore`. */
  readonly broadcaster: number | undefined;
  /** Whole message, header included; in `explore` the plan says it. */
  readonly messageBytes: number;
  /** Time between two broadcasts; in `explore` the plan says it. */
  readonly heartbeatMs: number;
  /** A node's turn in `rr`. */
  readonly roundSeconds: number;
  readonly explore: ExploreSettings;
  /** Of gossipsub; `sparing` when left out. */
  readonly forwarding?: Forwarding;
  /** Messages that may wait to be sent; in sqmr also those of which a part has come. */
  readonly bufferSize: number;
  /** The whole second since 1970 that instants told to the observer count from. */
  readonly originSeconds: number;
  /**
   * When the plan begins: `connected`: when every other node can be reached, or after
   * `connectTimeoutMs` with those that can be; `told`: when {@linkcode RunningNode.begin} is called.
   */
  readonly begin: "connected" | "told";
  /** Messages due so long after the node's begin are counted, and not timed; 0 when left out. */
  readonly warmupMs?: number;
  /**
   * The same for nodes that are to agree on the instant, in nanoseconds since the origin; `begin` may
   * say another. By default all are timed.
   */
  readonly measuredFromNs?: number;
  readonly connectTimeoutMs: number;
  /** How long `finish` waits for the node's own messages to leave. */
  readonly drainMs: number;
  /** `explore`: the period (see {@linkcode ExploreTrial}) of the first trial; if unset, the next that can be. */
  readonly exploreFirstPeriod?: number;
  /** A line for the user. */
  readonly note: (line: string) => void;
}
