import { duration, positiveDuration } from "../../options/duration.ts";
import { milliseconds, seconds } from "../../options/plain_number.ts";
import { countBetween, size } from "../../options/quantity.ts";
import { labelsRow } from "../../options/result_rows.ts";
import { row, type Rows, type SettingsOf } from "../../options/row.ts";
import { choice, file, flag, text } from "../../options/text.ts";
import { modes } from "../mode.ts";
import { networkProtocols } from "../network/network.ts";
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
  mode: row({
    name: "mode",
    kind: choice(...modes),
    default: "all",
    category: "Messages",
    summary: "who broadcasts: all, one, each in turn, or one that explores what goes",
  }),
  protocol: row({
    name: "network-protocol",
    kind: choice(...networkProtocols),
    default: "gossipsub",
    category: "Network",
    summary: "how messages travel",
  }),
  broadcaster: row({
    name: "broadcaster",
    kind: countBetween(0, 99_999),
    category: "Messages",
    summary: "the node that broadcasts; required in one and explore",
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
    kind: seconds,
    default: 3,
    category: "Messages",
    summary: "length of a node's turn: that of node floor(unix seconds / this) mod n",
    requires: ["mode=rr"],
  }),
  coolDownSeconds: row({
    name: "explore-cool-down-duration-seconds",
    kind: seconds,
    default: 100,
    category: "Explore",
    summary: "pause after each trial, in which the network is dropped and built anew",
    requires: explores,
  }),
  runSeconds: row({
    name: "explore-run-duration-seconds",
    kind: seconds,
    default: 100,
    category: "Explore",
    summary: "how long each combination of size and heartbeat is tried",
    requires: explores,
  }),
  minThroughput: row({
    name: "explore-min-throughput-byte-per-seconds",
    kind: countBetween(0, Number.MAX_SAFE_INTEGER),
    default: 102_400,
    category: "Explore",
    summary: "leave out combinations that ask for less",
    requires: explores,
  }),
  minMessageBytes: row({
    name: "explore-min-message-size-bytes",
    kind: size,
    default: 1024,
    category: "Explore",
    summary: "leave out smaller messages",
    requires: explores,
  }),
  stopsAtLimit: row({
    name: "explore-stop-at-limit",
    kind: flag,
    default: false,
    category: "Explore",
    summary: "end after the first combination that is not sustained",
    requires: explores,
  }),
  bufferSize: row({
    name: "buffer-size",
    kind: countBetween(1, 100_000_000),
    default: 100_000,
    category: "Network",
    summary: "messages that may wait in either direction (256 MiB at most), then dropped",
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
    summary: "bound on the p99 of the broadcaster's own lateness; above it: invalid",
  }),
  jsonFile: row({
    name: "json",
    kind: file,
    category: "Results",
    summary: "write the final report here as JSON",
  }),
  quiet: row({
    name: "quiet",
    short: "q",
    kind: flag,
    default: false,
    category: "Results",
    summary: "print only the final report",
  }),
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
