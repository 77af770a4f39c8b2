import { countBetween, rate, size } from "../../options/quantity.ts";
import {
  expectationsRow,
  jsonFileRow,
  labelsRow,
  quietRow,
  statsAddressRow,
} from "../../options/result_rows.ts";
import { row, type SettingsOf } from "../../options/row.ts";
import { choice, file, flag, text } from "../../options/text.ts";

/** The options of `holdfast wamp ha`, in the order of help. */
export const haRows = {
  nodes: row({
    name: "nodes",
    kind: countBetween(2, 32),
    default: 4,
    category: "Cluster",
    summary: "routers to start, each linked to every other",
  }),
  realm: row({
    name: "realm",
    kind: text,
    placeholder: "name",
    default: "realm1",
    category: "Cluster",
    summary: "the realm that they serve",
  }),
  firstPort: row({
    name: "first-port",
    kind: countBetween(1, 65_000),
    category: "Cluster",
    summary: "port of node1's WebSocket; the others follow",
    otherwise: "free ones",
  }),
  folder: row({
    name: "folder",
    kind: file,
    placeholder: "folder",
    category: "Cluster",
    summary: "write HAProxy's configuration and the key of the links here",
    otherwise: "a new one below the system's temporary folder",
  }),
  haproxy: row({
    name: "haproxy",
    kind: file,
    placeholder: "program",
    default: "haproxy",
    category: "Balancer",
    summary: "the balancer to start",
  }),
  balancerPort: row({
    name: "balancer-port",
    kind: countBetween(1, 65_535),
    category: "Balancer",
    summary: "port of the balancer that is started",
    otherwise: "a free one",
  }),
  balancer: row({
    name: "balancer",
    kind: text,
    placeholder: "url",
    category: "Balancer",
    summary: "use this one, which runs already: ws://host:port/ws",
    conflicts: ["balancerPort"],
    requires: ["firstPort"],
  }),
  scenario: row({
    name: "scenario",
    kind: text,
    placeholder: "name|file",
    default: "kill-node",
    category: "Scenario",
    summary: "kill-node, freeze-node, kill-half, return-node, rolling-restart, cut-link; " +
      "a file",
  }),
  rebalance: row({
    name: "rebalance",
    kind: flag,
    default: false,
    category: "Scenario",
    summary: "when nodes have returned, close surplus sessions so that all spread again",
  }),
  connections: row({
    name: "connections",
    short: "c",
    kind: countBetween(1, 10_000),
    default: 40,
    category: "Load",
    summary: "sessions through the balancer; each subscribes, publishes and calls",
  }),
  ratePerSecond: row({
    name: "rate",
    short: "r",
    kind: rate,
    default: 5,
    category: "Load",
    summary: "publications of each session per second, by plan",
  }),
  payloadBytes: row({
    name: "size",
    short: "s",
    kind: size,
    default: 128,
    category: "Load",
    summary: "payload of an event and of a call",
  }),
  calls: row({
    name: "calls",
    kind: flag,
    default: true,
    category: "Load",
    summary: "call every node's procedure with each payload; --no-calls: publish only",
  }),
  serializer: row({
    name: "serializer",
    kind: choice("json", "msgpack", "cbor"),
    default: "cbor",
    category: "Load",
    summary: "how messages become bytes",
  }),
  quiet: quietRow("the final report"),
  expectations: expectationsRow("reconnect.p95<500ms"),
  jsonFile: jsonFileRow,
  statsAddress: statsAddressRow,
  labels: labelsRow,
};

export type HaSettings = SettingsOf<typeof haRows>;
