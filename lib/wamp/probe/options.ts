import { UsageError } from "../../errors.ts";
import { duration, positiveDuration } from "../../options/duration.ts";
import type { Kind } from "../../options/kind.ts";
import { count, countBetween, rate, size } from "../../options/quantity.ts";
import {
  expectationsRow,
  jsonFileRow,
  labelsRow,
  statsAddressRow,
} from "../../options/result_rows.ts";
import { row, type SettingsOf } from "../../options/row.ts";
import { trustRows } from "../../options/security_rows.ts";
import { choice, file, flag, text } from "../../options/text.ts";
import { seedOfHex } from "../cryptosign/signing_key_file.ts";
import { secureWampSchemes } from "../transport/wamp_url.ts";
import { payloadHeadBytes } from "./payload_maker.ts";

/** As `positiveDuration`, and a bare number is one of seconds, as Crossbar's example takes it. */
export const seconds: Kind<number> = {
  ...positiveDuration,
  parse: (text) => positiveDuration.parse(/^(\d+(\.\d+)?|\.\d+)$/.test(text) ? `${text}s` : text),
};

/** Reports are made of what processes tell each second. */
const period: Kind<number> = {
  ...seconds,
  parse(text) {
    const ms = seconds.parse(text);
    if (ms >= 1000) return ms;
    throw new UsageError(`${JSON.stringify(text)} is too short a period; write 1s or more`);
  },
};

const payloadSize: Kind<number> = {
  ...size,
  parse(text) {
    const bytes = size.parse(text);
    if (bytes >= payloadHeadBytes && bytes <= 2 ** 23) return bytes;
    throw new UsageError(
      `${bytes} bytes are no payload of a probe; write ${payloadHeadBytes} (for the time in it) to 8MiB`,
    );
  },
};

/** A part of a topic, before the numbers of processes, sessions and loops. */
const logname: Kind<string> = {
  ...text,
  placeholder: "name",
  parse(text) {
    if (/^[^\s"\\]{1,64}$/.test(text)) return text;
    throw new UsageError(
      `${JSON.stringify(text)} is no log name; write up to 64 characters without spaces and quotes`,
    );
  },
};

/** Where a private key is, or the key itself, which must not show anywhere. */
const signingKey: Kind<string> = {
  ...file,
  parse: (text) => seedOfHex(text) === undefined ? file.parse(text) : text,
  format: (text) => seedOfHex(text) === undefined ? text : "(not shown)",
};

/** Options about the routers, which the probe and the backend have in common. */
export const routerRows = {
  urls: row({
    name: "url",
    short: "u",
    kind: text,
    placeholder: "url",
    repeatable: true,
    category: "Router",
    summary: "ws(s)://host:port/path or rs(s)://host:port (rawsocket); may be repeated",
  }),
  configFile: row({
    name: "config",
    kind: file,
    category: "Router",
    summary: "read the URLs from here: a [section] for each node, with url=… in it",
    conflicts: ["urls"],
  }),
  realm: row({
    name: "realm",
    kind: text,
    placeholder: "name",
    default: "realm1",
    category: "Router",
    summary: "the realm to join",
  }),
  serializer: row({
    name: "serializer",
    kind: choice("json", "msgpack", "cbor"),
    default: "cbor",
    category: "Router",
    summary: "how messages become bytes",
  }),
  batched: row({
    name: "batched",
    kind: flag,
    default: false,
    category: "Router",
    summary: "several messages in one of a WebSocket (not with json, not on rs://)",
    conflicts: ["serializer=json"],
  }),
  signingKey: row({
    name: "key",
    kind: signingKey,
    category: "Router",
    summary: "log in with this Ed25519 key: a file, or 64 hex digits by HOLDFAST_KEY",
    otherwise: "anonymously",
  }),
  authid: row({
    name: "authid",
    kind: text,
    placeholder: "name",
    category: "Router",
    summary: "log in as this one",
    requires: ["signingKey"],
    otherwise: "whom the router knows by the key",
  }),
  ...trustRows("Router", secureWampSchemes),
};

/** The options of `holdfast wamp probe`, in the order of help. */
export const probeRows = {
  ...routerRows,
  clients: row({
    name: "clients",
    kind: countBetween(1, 1024),
    default: 1,
    category: "Load",
    summary: "processes that the probe consists of",
  }),
  connections: row({
    name: "connections",
    short: "c",
    kind: count,
    default: 1,
    category: "Load",
    summary: "sessions of each process, to each URL; each subscribes",
  }),
  publishers: row({
    name: "publishers",
    kind: count,
    category: "Load",
    summary: "sessions that publish, dealt out to the processes in turn",
    otherwise: "all of them",
  }),
  loops: row({
    name: "loops",
    kind: count,
    default: 1,
    category: "Load",
    summary: "publishers in each session that publishes",
  }),
  ratePerSecond: row({
    name: "rate",
    short: "r",
    kind: rate,
    default: 1,
    category: "Load",
    summary: "iterations of each publisher per second",
  }),
  stride: row({
    name: "stride",
    kind: count,
    default: 1,
    category: "Load",
    summary: "events that a publisher publishes in an iteration",
  }),
  payloadBytes: row({
    name: "size",
    short: "s",
    kind: payloadSize,
    default: 256,
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
  nodes: row({
    name: "nodes",
    kind: countBetween(1, 1000),
    default: 4,
    category: "Load",
    summary: "procedures to call: node1.container1.proc1 to node<n>.container1.proc1",
    requires: ["calls"],
  }),
  openLoop: row({
    name: "open-loop",
    kind: flag,
    default: false,
    category: "Load",
    summary: "publish by plan, not when the answers of the last iteration have come",
  }),
  durationMs: row({
    name: "duration",
    short: "t",
    kind: seconds,
    default: 60_000,
    category: "Time",
    summary: "length of the measured phase, once all sessions are subscribed",
  }),
  periodMs: row({
    name: "period",
    kind: period,
    default: 10_000,
    category: "Time",
    summary: "time between two reports",
  }),
  timeoutMs: row({
    name: "timeout",
    kind: positiveDuration,
    default: 5000,
    category: "Time",
    summary: "an acknowledgement, a result or a last event later than this is lost",
  }),
  logname: row({
    name: "logname",
    kind: logname,
    default: "client0",
    category: "Results",
    summary: "name of this probe in its events; of several at a time each needs its own",
  }),
  silent: row({
    name: "silent",
    kind: flag,
    default: false,
    category: "Results",
    summary: "no reports while it runs",
  }),
  debug: row({
    name: "debug",
    kind: flag,
    default: false,
    category: "Results",
    summary: "a line for each session that joins or is lost",
    conflicts: ["silent"],
  }),
  expectations: expectationsRow("delivery.p99<100ms"),
  maxLatenessMs: row({
    name: "max-lateness",
    kind: duration,
    default: 25,
    category: "Results",
    summary: "bound on the p99 of the probe's own lateness; above it: invalid",
  }),
  jsonFile: jsonFileRow,
  statsAddress: statsAddressRow,
  labels: labelsRow,
};

export type ProbeSettings = SettingsOf<typeof probeRows>;
