import type { NetworkProtocol } from "../../lib/p2p/network/network.ts";
import type { Histogram } from "../../lib/stats/histogram.ts";

/** What a network of nodes is to do. */
export interface P2pCase {
  readonly name: string;
  readonly protocol: NetworkProtocol;
  readonly nodes: number;
  /** Node 0 alone broadcasts; else all do. */
  readonly oneBroadcasts?: boolean;
  readonly messageBytes: number;
  /** Of each node that broadcasts. */
  readonly messagesPerSecond: number;
}

/** What a network of nodes did. */
export interface P2pResult {
  /** Messages over all nodes: due by the plan, handed to the network, dropped instead. */
  readonly due: number;
  readonly sent: number;
  readonly dropped: number;
  /** Deliveries: those that `sent` calls for, those made, and further copies. */
  readonly expected: number;
  readonly delivered: number;
  readonly duplicated: number;
  readonly seconds: number;
  /** From when messages were due to their arrival, over all receivers. */
  readonly delivery: Histogram;
  /** p99 of how late messages were picked up, of the broadcaster that was worst. */
  readonly latenessP99Ns: number;
  /** All nodes together, while they broadcast. */
  readonly cores: number;
  /** What makes the figures doubtful. */
  readonly remarks: readonly string[];
}

/** How many others have a message in the end. */
export function receiversOf({ protocol, nodes }: P2pCase): number {
  return protocol === "sqmr" ? 1 : nodes - 1;
}
