import { count, countBetween } from "../../options/quantity.ts";
import { row, type SettingsOf } from "../../options/row.ts";
import { flag } from "../../options/text.ts";
import { routerRows, seconds } from "../probe/options.ts";

/** Crossbar's example has so many. */
export const usualNodes = 4;

/** The options of `holdfast wamp backend`, in the order of help. */
export const backendRows = {
  ...routerRows,
  nodes: row({
    name: "nodes",
    kind: countBetween(1, 1000),
    otherwise: `${usualNodes}`,
    category: "Procedures",
    summary: "node1.container1.proc1 to node<n>.container1.proc1, dealt out to the URLs",
  }),
  node: row({
    name: "node",
    kind: countBetween(1, 1000),
    category: "Procedures",
    summary: "only the procedure of this node, at every URL",
    conflicts: ["nodes"],
    otherwise: "those of all nodes",
  }),
  connections: row({
    name: "connections",
    short: "c",
    kind: count,
    default: 1,
    category: "Procedures",
    summary: "sessions to each URL, which share its procedures (invoke: random)",
  }),
  periodMs: row({
    name: "period",
    kind: seconds,
    default: 10_000,
    category: "Results",
    summary: "time between two reports",
  }),
  silent: row({
    name: "silent",
    kind: flag,
    default: false,
    category: "Results",
    summary: "no reports while it runs",
  }),
};

export type BackendSettings = SettingsOf<typeof backendRows>;
