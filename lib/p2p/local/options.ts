import { duration, positiveDuration } from "../../options/duration.ts";
import { seconds } from "../../options/plain_number.ts";
import { countBetween } from "../../options/quantity.ts";
import {
  expectationsRow,
  jsonFileRow,
  labelsRow,
  quietRow,
  statsAddressRow,
} from "../../options/result_rows.ts";
import { row, type SettingsOf } from "../../options/row.ts";
import { file } from "../../options/text.ts";
import { loadRows, warmupRow } from "../load_rows.ts";
import { nodeIds } from "./node_ids.ts";
import { protocolList } from "./protocol_list.ts";

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
  ...loadRows,
  broadcaster: row({
    name: "broadcaster",
    kind: countBetween(0, 999),
    category: "Messages",
    summary: "the node that broadcasts",
    otherwise: "node 0",
    requires: ["mode=one", "mode=explore"],
  }),
  warmupMs: warmupRow,
  durationMs: row({
    name: "duration",
    short: "t",
    kind: positiveDuration,
    category: "Time",
    summary: "broadcast for this long, from the full mesh and --warmup on",
    otherwise: "30s; in explore until every combination was tried",
  }),
  timeoutSeconds: row({
    name: "timeout",
    kind: seconds,
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
  expectations: expectationsRow("delivery.p99<100ms"),
  maxLatenessMs: row({
    name: "max-lateness",
    kind: positiveDuration,
    default: 100,
    category: "Results",
    summary: "bound on the p99 of the broadcasters' own lateness; above it: invalid",
  }),
  jsonFile: jsonFileRow,
  prometheusFile: row({
    name: "prometheus-config",
    kind: file,
    category: "Results",
    summary: "write a scrape configuration for Prometheus here, with every node in it",
  }),
  statsAddress: statsAddressRow,
  quiet: quietRow("the final summary"),
  labels: labelsRow,
};

export type LocalSettings = SettingsOf<typeof localRows>;
