import { duration, positiveDuration } from "../../options/duration.ts";
import { seconds } from "../../options/plain_number.ts";
import { countBetween } from "../../options/quantity.ts";
import { expectationsRow, jsonFileRow, labelsRow, quietRow } from "../../options/result_rows.ts";
import { row, type Rows, type SettingsOf } from "../../options/row.ts";
import { flag } from "../../options/text.ts";
import { loadRows, warmupRow } from "../load_rows.ts";
import { multiaddresses } from "./addresses_kind.ts";
import { mostVerbose } from "./node_log.ts";

const explores = ["mode=explore"];

/** The options that other nodes of this benchmark have too: their variables have no prefix. */
const sharedRows = inCapitals({
  nodeId: row({
    name: "id",
    kind: countBetween(0, 99_999),
    category: "Network",
    summary: "id of this node, from 0: its key, its label in metrics; required",
  }),
  numNodes: row({
    name: "num-nodes",
    kind: countBetween(1, 100_000),
    category: "Network",
    summary: "nodes in the network; their ids are 0 to this less 1; required",
  }),
  metricPort: row({
    name: "metric-port",
    kind: countBetween(0, 65_535),
    default: 2000,
    category: "Results",
    summary: "serve /metrics, /stats and a page here; the default moves to a free port",
  }),
  listenPort: row({
    name: "p2p-port",
    kind: countBetween(0, 65_535),
    default: 10_000,
    category: "Network",
    summary: "listen for peers on this port; 0: any that is free",
  }),
  bootstrap: row({
    name: "bootstrap",
    kind: multiaddresses,
    category: "Network",
    summary: "multiaddresses of the other peers, separated by commas; required",
  }),
  ...loadRows,
  broadcaster: row({
    name: "broadcaster",
    kind: countBetween(0, 99_999),
    category: "Messages",
    summary: "the node that broadcasts; required in one and explore",
    requires: ["mode=one", "mode=explore"],
  }),
  timeoutSeconds: row({
    name: "timeout",
    kind: seconds,
    default: 4000,
    category: "Time",
    summary: "seconds, then the node ends and reports",
  }),
  verbosity: row({
    name: "verbosity",
    kind: countBetween(0, mostVerbose),
    default: 2,
    category: "Results",
    summary: "what to tell: 0 nothing, 1 error, 2 warn, 3 info, 4 debug, 5 every message",
  }),
  quic: row({
    name: "quic",
    kind: flag,
    default: false,
    category: "Network",
    summary: "connect over QUIC instead of TCP, where a QUIC transport can be had",
  }),
});

/** Options of `holdfast p2p node`. */
export const nodeRows = {
  ...sharedRows,
  warmupMs: warmupRow,
  connectTimeoutMs: row({
    name: "connect-timeout",
    kind: positiveDuration,
    default: 60_000,
    category: "Time",
    summary: "broadcast without the peers that are not connected after this long",
    conflicts: explores,
  }),
  drainMs: row({
    name: "drain",
    kind: duration,
    default: 2000,
    category: "Time",
    summary: "at the end, wait at most this long for the last messages",
  }),
  expectations: expectationsRow("delivery.p99<100ms"),
  maxLatenessMs: row({
    name: "max-lateness",
    kind: positiveDuration,
    default: 100,
    category: "Results",
    summary: "bound on the p99 of the broadcaster's own lateness; above it: invalid",
  }),
  jsonFile: jsonFileRow,
  quiet: quietRow("the final report"),
  labels: labelsRow,
};

export type NodeSettings = SettingsOf<typeof nodeRows>;

/** Gives every option the variable that is its name in capitals: `NUM_NODES`. */
function inCapitals<R extends Rows>(rows: R): R {
  return Object.fromEntries(
    Object.entries(rows).map(([key, row]) => [
      key,
      { ...row, environment: row.name.toUpperCase().replaceAll("-", "_") },
    ]),
  ) as R;
}
