import { duration, positiveDuration } from "../../options/duration.ts";
import { countBetween, size } from "../../options/quantity.ts";
import { labelsRow, statsAddressRow } from "../../options/result_rows.ts";
import { row, type SettingsOf } from "../../options/row.ts";
import { choice, file, flag, text } from "../../options/text.ts";
import { modes } from "../mode.ts";
import { networkProtocols } from "../network/network.ts";
import { milliseconds } from "../../options/plain_number.ts";
import { nodeIds } from "./node_ids.ts";
import { protocolList } from "./protocol_list.ts";

const explores = ["mode=explore"];
const kills = ["killedNodes"];

/** Options of `holdfast p2p local`. */
export const localRows = {
  numNodes: row({
    name: "num-nodes",
    short: "n",
    kind: countBetween(2, 1000),
    default: 5,
    category: "Network",
    summary: "how many nodes to start, each a process of its own",
  }),
  protocol: row({
    name: "network-protocol",
    kind: choice(...networkProtocols),
    default: "gossipsub",
    category: "Network",
    summary: "how messages travel",
  }),
  compared: row({
    name: "compare",
    kind: protocolList,
    category: "Network",
    summary: "run these protocols one after another, and put the results side by side",
  }),
  firstPort: row({
    name: "p2p-port",
    kind: countBetween(1, 65_535),
    category: "Network",
    summary: "port of node 0; the others have those after it",
    otherwise: "ports that are free",
  }),
  firstMetricPort: row({
    name: "metric-port",
    kind: countBetween(1, 65_535),
    category: "Network",
    summary: "serve /metrics of node 0 here, of the others on the ports after it",
    otherwise: "all nodes together on --stats; free ports with --prometheus-config",
  }),
  bufferSize: row({
    name: "buffer-size",
    kind: countBetween(1, 100_000_000),
    default: 100_000,
    category: "Network",
    summary: "messages that may wait in either direction, on each node",
  }),
  mode: row({
    name: "mode",
    kind: choice(...modes),
    default: "all",
    category: "Messages",
    summary: "who broadcasts: all, one, each in turn, or one that explores what goes",
  }),
  broadcaster: row({
    name: "broadcaster",
    kind: countBetween(0, 999),
    category: "Messages",
    summary: "the node that broadcasts",
    otherwise: "node 0",
    requires: ["mode=one", "mode=explore"],
  }),
  messageBytes: row({
    name: "message-size-bytes",
    kind: size,
    default: 1024,
    category: "Messages",
    summary: "size of a whole message, its header of 36 bytes included",
    conflicts: explores,
  }),
  heartbeatMs: row({
    name: "heartbeat-millis",
    kind: milliseconds,
    default: 1000,
    category: "Messages",
    summary: "milliseconds between two broadcasts of a node; may have a fraction",
    conflicts: explores,
  }),
  roundSeconds: row({
    name: "round-duration-seconds",
    kind: countBetween(1, 86_400),
    default: 3,
    category: "Messages",
    summary: "length of a node's turn",
    requires: ["mode=rr"],
  }),
  exploreRunSeconds: row({
    name: "explore-run-duration-seconds",
    kind: countBetween(1, 86_400),
    default: 100,
    category: "Explore",
    summary: "how long each combination of size and heartbeat is tried",
    requires: explores,
  }),
  exploreCoolDownSeconds: row({
    name: "explore-cool-down-duration-seconds",
    kind: countBetween(1, 86_400),
    default: 100,
    category: "Explore",
    summary: "pause after each, in which the network is dropped and built anew",
    requires: explores,
  }),
  exploreMinThroughput: row({
    name: "explore-min-throughput-byte-per-seconds",
    kind: countBetween(0, 0x7fffffff),
    default: 102_400,
    category: "Explore",
    summary: "leave out combinations that ask for less",
    requires: explores,
  }),
  exploreMinMessageBytes: row({
    name: "explore-min-message-size-bytes",
    kind: size,
    default: 1024,
    category: "Explore",
    summary: "leave out smaller messages",
    requires: explores,
  }),
  exploreStopAtLimit: row({
    name: "explore-stop-at-limit",
    kind: flag,
    default: false,
    category: "Explore",
    summary: "end after the first combination that is not sustained",
    requires: explores,
  }),
  durationMs: row({
    name: "duration",
    short: "t",
    kind: positiveDuration,
    category: "Time",
    summary: "broadcast for this long, from the full mesh on",
    otherwise: "30s; in explore until every combination was tried",
  }),
  timeoutSeconds: row({
    name: "timeout",
    kind: countBetween(1, 2_000_000),
    category: "Time",
    summary: "the same in seconds, as p2p node has it",
    conflicts: ["durationMs"],
  }),
  drainMs: row({
    name: "drain",
    kind: duration,
    default: 5000,
    category: "Time",
    summary: "wait at most this long for the last messages",
  }),
  connectTimeoutMs: row({
    name: "connect-timeout",
    kind: positiveDuration,
    default: 60_000,
    category: "Time",
    summary: "begin without a full mesh after this long; the run is invalid then",
  }),
  staggerMs: row({
    name: "stagger",
    kind: duration,
    default: 0,
    category: "Time",
    summary: "start the nodes one by one, this far apart",
  }),
  killedNodes: row({
    name: "kill",
    kind: nodeIds,
    category: "Outages",
    summary: "kill these nodes (SIGKILL) while the network runs",
    requires: ["killAtMs"],
  }),
  killAtMs: row({
    name: "at",
    kind: positiveDuration,
    category: "Outages",
    summary: "when to do that, from the first broadcast on",
    requires: kills,
  }),
  restartAfterMs: row({
    name: "restart-after",
    kind: duration,
    category: "Outages",
    summary: "start them again after this long",
    otherwise: "they stay down",
    requires: kills,
  }),
  runFolder: row({
    name: "run-folder",
    kind: file,
    placeholder: "dir",
    category: "Results",
    summary: "write logs and results of the nodes here; it must not exist, or be empty",
    otherwise: "holdfast-p2p-<time> in the current directory",
  }),
  expectations: row({
    name: "expect",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Results",
    summary: "exit with 1 unless this holds, as in 'delivery.p99<100ms'; may be repeated",
  }),
  maxLatenessMs: row({
    name: "max-lateness",
    kind: positiveDuration,
    default: 100,
    category: "Results",
    summary: "bound on the p99 of the broadcasters' own lateness; above it: invalid",
  }),
  jsonFile: row({
    name: "json",
    kind: file,
    category: "Results",
    summary: "write the final result here as JSON",
  }),
  prometheusFile: row({
    name: "prometheus-config",
    kind: file,
    category: "Results",
    summary: "write a scrape configuration for Prometheus here, with every node in it",
  }),
  statsAddress: statsAddressRow,
  quiet: row({
    name: "quiet",
    short: "q",
    kind: flag,
    default: false,
    category: "Results",
    summary: "print only the final summary",
  }),
  labels: labelsRow,
};

export type LocalSettings = SettingsOf<typeof localRows>;
