import { duration } from "../options/duration.ts";
import { milliseconds, seconds } from "../options/plain_number.ts";
import { countBetween, size } from "../options/quantity.ts";
import { row } from "../options/row.ts";
import { choice, flag } from "../options/text.ts";
import { modes } from "./mode.ts";
import { forwardings, networkProtocols } from "./network/network.ts";

const explores = ["mode=explore"];

/** Of a node and of a whole network. */
export const warmupRow = row({
  name: "warmup",
  kind: duration,
  default: 0,
  category: "Time",
  summary: "broadcast this long first: counted, but not in times and CPU use",
  conflicts: explores,
});

/** What a network of nodes is to carry, and how; the same for a node and for a whole network. */
export const loadRows = {
  protocol: row({
    name: "network-protocol",
    kind: choice(...networkProtocols),
    default: "gossipsub",
    category: "Network",
    summary: "how messages travel",
  }),
  forwarding: row({
    name: "forwarding",
    kind: choice(...forwardings),
    default: "sparing",
    category: "Network",
    summary: "gossipsub: spare who has a message already, in a full mesh, or forward at once",
  }),
  bufferSize: row({
    name: "buffer-size",
    kind: countBetween(1, 100_000_000),
    default: 100_000,
    category: "Network",
    summary: "messages that may wait to be sent, or to come whole; 256 MiB each; then dropped",
  }),
  mode: row({
    name: "mode",
    kind: choice(...modes),
    default: "all",
    category: "Messages",
    summary: "who broadcasts: all, one, each in turn, or one that explores what goes",
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
};
