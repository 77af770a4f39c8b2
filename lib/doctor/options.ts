import { addressList, portRange } from "../options/address.ts";
import { count } from "../options/quantity.ts";
import { row, type SettingsOf } from "../options/row.ts";
import { workers } from "../options/workers.ts";
import { choice, fileOrStream, flag, text } from "../options/text.ts";

/** The options of `holdfast doctor`. */
export const doctorRows = {
  role: row({
    name: "role",
    kind: choice("client", "server"),
    default: "client",
    category: "Question",
    summary: "which side this host is to be",
  }),
  connections: row({
    name: "connections",
    short: "c",
    kind: count,
    category: "Question",
    summary: "how many it has to hold; exit with 5 unless they fit",
    otherwise: "as many as fit",
  }),
  target: row({
    name: "target",
    kind: text,
    placeholder: "host[:port]|endpoint",
    category: "Question",
    summary: "where a client connects to, or what a server listens on",
    otherwise: "a TCP server elsewhere",
  }),
  workers: row({
    name: "workers",
    kind: workers,
    default: 1,
    category: "Question",
    summary: "processes that share the connections; auto: as many as it takes",
  }),
  sources: row({
    name: "source",
    kind: addressList,
    repeatable: true,
    category: "Question",
    summary: "connect from these addresses of this host in turn; may be repeated",
    otherwise: "the address of the route",
    conflicts: ["role=server"],
  }),
  sourcePorts: row({
    name: "source-ports",
    kind: portRange,
    category: "Question",
    summary: "take source ports from this range",
    otherwise: "the kernel chooses",
    conflicts: ["role=server"],
  }),
  connectionsPerSocket: row({
    name: "connections-per-socket",
    kind: count,
    default: 32,
    category: "Question",
    summary: "QUIC connections that share a UDP socket; 1: each has its own",
    conflicts: ["role=server"],
    schemes: ["quic"],
  }),
  apply: row({
    name: "apply",
    kind: flag,
    default: false,
    category: "Mending",
    summary: "set what is short (as root), and print what changed and how to undo it",
    requires: ["connections"],
  }),
  script: row({
    name: "script",
    kind: flag,
    default: false,
    category: "Mending",
    summary: "print a shell script that sets what is short, instead of the table",
    requires: ["connections"],
    conflicts: ["apply", "jsonFile"],
  }),
  jsonFile: row({
    name: "json",
    kind: fileOrStream,
    bare: "-",
    category: "Results",
    summary: "write the findings here as JSON; -: on stdout, instead of the table",
  }),
};

export type DoctorSettings = SettingsOf<typeof doctorRows>;
