import { addressList, portRange } from "../options/address.ts";
import { backoff } from "../options/backoff.ts";
import { duration, positiveDuration } from "../options/duration.ts";
import { httpUrl } from "../options/http_url.ts";
import { count, countOrMax, rate, seed, size } from "../options/quantity.ts";
import { defaultBreakConditions } from "../stats/break_condition.ts";
import type { CommandLine } from "../options/command_line.ts";
import { checkForSchemes } from "../options/resolve.ts";
import { instant } from "../options/instant.ts";
import { labelsRow, statsAddressRow } from "../options/result_rows.ts";
import { row, type SettingsOf } from "../options/row.ts";
import { step } from "../options/step.ts";
import { workers } from "../options/workers.ts";
import { choice, file, fileOrStream, flag, protocolName, text } from "../options/text.ts";

const secureSchemes = ["tls", "wss", "quic"];

/** The options that say when messages are due; with none of them connections are only held. */
const openLoop = ["ratePerSecond", "stages", "scheduleFile"];
/** With any of these a run is a ramp: it opens connections until something breaks. */
const ramp = ["connections=max", "step", "breakConditions"];
const planned = [...openLoop, "intervalMs", ...ramp];
const messages = [...openLoop, "intervalMs", "inflight", ...ramp];
/** Connections of a ramp send at an interval: their number grows, and with it the rate. */
const otherLoads = ["ratePerSecond", "inflight", "stages", "scheduleFile"];

/** The options of `holdfast client`. */
export const clientRows = {
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
  step: row({
    name: "step",
    kind: step,
    category: "Ramp until it breaks",
    summary: "open so many, hold them for d, open the next; as in 500/10s",
    otherwise: "connections open evenly",
    conflicts: otherLoads,
  }),
  breakConditions: row({
    name: "break-when",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Ramp until it breaks",
    summary: "broken: this for 3 s running, as in 'response.p99>1s'; may be repeated",
    otherwise: defaultBreakConditions.join(", "),
    conflicts: otherLoads,
  }),
  serverStatsUrl: row({
    name: "server-stats",
    kind: httpUrl,
    category: "Ramp until it breaks",
    summary: "where the holdfast server at the target serves its statistics",
    requires: ramp,
  }),
  workers: row({
    name: "workers",
    kind: workers,
    category: "Connections",
    summary: "processes that share the load; auto: as many as it needs",
    otherwise: "1",
  }),
  ratePerSecond: row({
    name: "rate",
    short: "r",
    kind: rate,
    category: "Load",
    summary: "messages per second over all connections, whatever the answers do",
    conflicts: ["intervalMs", "inflight", "stages", "connections=max"],
  }),
  intervalMs: row({
    name: "interval",
    kind: positiveDuration,
    category: "Load",
    summary: "each connection sends a message this often",
    conflicts: ["inflight", "stages", "scheduleFile"],
  }),
  inflight: row({
    name: "inflight",
    kind: count,
    category: "Load",
    summary: "closed loop: each connection always awaits this many answers",
    conflicts: ["stages", "scheduleFile", "connections=max"],
  }),
  stages: row({
    name: "stages",
    kind: text,
    placeholder: "list",
    category: "Load",
    summary: "rate over time: levels and slopes, as in '10s:1000, 10s:+200/s'",
    conflicts: ["scheduleFile", "connections=max"],
  }),
  scheduleFile: row({
    name: "schedule",
    kind: fileOrStream,
    category: "Load",
    summary: "rate over time from a file: a line count, then '<ms> <rate>' lines",
    conflicts: ["connections=max"],
  }),
  scheduleFormat: row({
    name: "schedule-format",
    kind: choice("level", "slope"),
    default: "level",
    category: "Load",
    summary: "what the second column is: a rate, or a slope, which starts from --rate",
    requires: ["scheduleFile"],
  }),
  arrivals: row({
    name: "arrivals",
    kind: choice("poisson", "uniform"),
    default: "poisson",
    category: "Load",
    summary: "gaps between messages: random and memoryless, or all the same",
    requires: openLoop,
  }),
  seed: row({
    name: "seed",
    kind: seed,
    default: 42,
    category: "Load",
    summary: "start of the random sequence; the same seed gives the same plan",
    requires: [...openLoop, "reconnect"],
    conflicts: ["arrivals=uniform"],
  }),
  durationMs: row({
    name: "duration",
    short: "t",
    kind: positiveDuration,
    default: 10_000,
    category: "Time",
    summary: "length of the measured phase",
    conflicts: ["stages", "scheduleFile"],
  }),
  warmupMs: row({
    name: "warmup",
    kind: duration,
    default: 0,
    category: "Time",
    summary: "send for this long before the measured phase",
    requires: messages,
  }),
  barrier: row({
    name: "barrier",
    kind: flag,
    default: true,
    category: "Time",
    summary: "measure once all connections are open; --no-barrier: from the start",
  }),
  startAt: row({
    name: "start-at",
    kind: instant,
    category: "Time",
    summary: "wait for this instant, on several hosts the same: ISO 8601, 12:00 or epoch",
    otherwise: "at once",
  }),
  timeoutMs: row({
    name: "timeout",
    kind: positiveDuration,
    default: 5000,
    category: "Time",
    summary: "a message without an answer after this long is lost",
    requires: messages,
  }),
  drainMs: row({
    name: "drain",
    kind: duration,
    category: "Time",
    summary: "wait this long for the last answers",
    otherwise: "as --timeout",
    requires: messages,
  }),
  codec: row({
    name: "codec",
    kind: choice("echo", "dns"),
    default: "echo",
    category: "Messages",
    summary: "what a message is: bytes that come back, or a DNS query",
    requires: messages,
    schemesOfValue: { dns: ["udp", "tcp", "tls"] },
  }),
  sizeBytes: row({
    name: "size",
    kind: size,
    default: 64,
    category: "Messages",
    summary: "size of an echo message",
    requires: messages,
    conflicts: ["codec=dns"],
  }),
  query: row({
    name: "query",
    kind: text,
    placeholder: "name/type",
    default: "example.com/A",
    category: "Messages",
    summary: "what to ask a DNS server for",
    requires: ["codec=dns"],
  }),
  verify: row({
    name: "verify",
    kind: flag,
    default: false,
    category: "Messages",
    summary: "compare every answer byte by byte, not only its header",
    requires: messages,
  }),
  datagrams: row({
    name: "datagrams",
    kind: flag,
    default: false,
    category: "Messages",
    summary: "QUIC: send unreliable datagrams instead of a stream",
    requires: messages,
    schemes: ["quic"],
  }),
  caFile: row({
    name: "ca",
    kind: file,
    category: "TLS and QUIC",
    summary: "PEM certificates of the authorities to trust",
    otherwise: "the system's",
    schemes: secureSchemes,
  }),
  insecure: row({
    name: "insecure",
    kind: flag,
    default: false,
    category: "TLS and QUIC",
    summary: "accept any certificate",
    conflicts: ["caFile"],
    schemes: secureSchemes,
  }),
  servername: row({
    name: "servername",
    kind: text,
    placeholder: "name",
    category: "TLS and QUIC",
    summary: "name to ask for and to verify",
    otherwise: "the endpoint's host",
    schemes: secureSchemes,
  }),
  certFile: row({
    name: "cert",
    kind: file,
    category: "TLS and QUIC",
    summary: "PEM certificate of this client, for servers that ask for one",
    requires: ["keyFile"],
    schemes: secureSchemes,
  }),
  keyFile: row({
    name: "key",
    kind: file,
    category: "TLS and QUIC",
    summary: "PEM private key of that certificate",
    requires: ["certFile"],
    schemes: secureSchemes,
  }),
  alpn: row({
    name: "alpn",
    kind: protocolName,
    repeatable: true,
    category: "TLS and QUIC",
    summary: "application protocol to offer; may be repeated",
    otherwise: "echo on quic, none on tls",
    schemes: ["tls", "quic"],
  }),
  expectations: row({
    name: "expect",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Results",
    summary: "exit with 1 unless this holds, as in 'response.p99<10ms'; may be repeated",
  }),
  maxScheduleErrorMs: row({
    name: "max-schedule-error",
    kind: positiveDuration,
    default: 10,
    category: "Results",
    summary: "bound on the p99 of the generator's own lateness; above it: invalid",
    requires: planned,
  }),
  jsonFile: row({
    name: "json",
    kind: file,
    category: "Results",
    summary: "write the final summary here as JSON",
  }),
  hdrFile: row({
    name: "hdr",
    kind: file,
    category: "Results",
    summary: "write the histograms here as an HdrHistogram log",
  }),
  htmlFile: row({
    name: "html",
    kind: file,
    category: "Results",
    summary: "write a page here that shows the whole run, for any browser",
  }),
  csvFile: row({
    name: "csv",
    kind: fileOrStream,
    category: "Results",
    summary: "write a row for each message and each answer here",
    requires: messages,
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

export type ClientSettings = SettingsOf<typeof clientRows>;

/**
 * Checks that every option given has a meaning on endpoints of this scheme.
 *
 * @throws {UsageError} one of them has none.
 */
export function checkForScheme(
  scheme: string,
  commandLine: Pick<CommandLine<ClientSettings>, "settings" | "given">,
): void {
  checkForSchemes(clientRows, commandLine, [scheme]);
}
