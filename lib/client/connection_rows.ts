import { addressList, portRange } from "../options/address.ts";
import { backoff } from "../options/backoff.ts";
import { positiveDuration } from "../options/duration.ts";
import { count, countOrMax, rate } from "../options/quantity.ts";
import { row } from "../options/row.ts";
import { flag } from "../options/text.ts";
import { workers } from "../options/workers.ts";
import { ramp } from "./option_sets.ts";

/** Options of `holdfast client`: how connections are opened, from where, by how many processes, and what happens when they end. */
export const connectionRows = {
  connections: row({
    name: "connections",
    short: "c",
    kind: countOrMax,
    default: 1,
    category: "Connections",
    summary: "how many to open and hold; max: all that this host can, until something breaks",
  }),
  connectRatePerSecond: row({
    name: "connect-rate",
    kind: rate,
    default: 1000,
    category: "Connections",
    summary: "how many to open per second",
  }),
  connectTimeoutMs: row({
    name: "connect-timeout",
    kind: positiveDuration,
    default: 5000,
    category: "Connections",
    summary: "give a connection up that is not open after this long",
  }),
  sources: row({
    name: "source",
    kind: addressList,
    repeatable: true,
    category: "Connections",
    summary: "connect from these addresses of this host in turn; may be repeated",
    otherwise: "the kernel chooses; all of 127.0.0.0/8 where a loopback target needs it",
  }),
  reconnect: row({
    name: "reconnect",
    kind: backoff,
    bare: { firstMs: 50, lastMs: 5000 },
    category: "Connections",
    summary: "open lost connections again after waits that grow, and report the outages",
    conflicts: ramp,
  }),
  recyclePerSecond: row({
    name: "recycle",
    kind: rate,
    category: "Connections",
    summary: "close and open again this many per second, in turn, to measure churn",
    conflicts: ramp,
    otherwise: "none",
  }),
  identify: row({
    name: "identify",
    kind: flag,
    default: false,
    category: "Connections",
    summary: "ask each connection's server for its id (server --announce) first of all",
    conflicts: ["codec=dns"],
  }),
  sourcePorts: row({
    name: "source-ports",
    kind: portRange,
    category: "Connections",
    summary: "take source ports in turn from this range, past the kernel's own search",
    otherwise: "the kernel chooses",
  }),
  idleTimeoutMs: row({
    name: "idle-timeout",
    kind: positiveDuration,
    default: 30_000,
    category: "Connections",
    summary: "QUIC server of which nothing comes for this long is lost; whole seconds",
    schemes: ["quic"],
  }),
  connectionsPerSocket: row({
    name: "connections-per-socket",
    kind: count,
    default: 32,
    category: "Connections",
    summary: "QUIC connections that share a UDP socket; 1: each has its own",
    schemes: ["quic"],
  }),
  workers: row({
    name: "workers",
    kind: workers,
    category: "Connections",
    summary: "processes that share the load; auto: as many as it needs",
    otherwise: "1",
  }),
};
