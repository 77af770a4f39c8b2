import { maxServerIdBytes } from "../codec/server_id.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import type { CommandLine } from "../options/command_line.ts";
import { serveStats } from "../report/http.ts";
import type { Io } from "../report/io.ts";
import { writeSnapshotJson } from "../report/json.ts";
import { openOutput } from "../report/output.ts";
import { identityOf } from "../report/run_identity.ts";
import { ServerLine, serverSummary } from "../report/server_report.ts";
import { nowNs } from "../stats/clock.ts";
import type { RunIdentity, ServerSnapshot } from "../stats/snapshot.ts";
import {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
  type Scheme,
} from "../transport/endpoint.ts";
import { transports } from "../transport/registry.ts";
import type { CertificatePair } from "../transport/transport.ts";
import { Admission } from "./admission.ts";
import { serverCertificate } from "./certificate.ts";
import { checkForEndpoints, defaultEndpoints, type ServerSettings } from "./options.ts";
import { DescriptorWatch } from "./descriptor_watch.ts";
import { RefusalNotes } from "./refusal_notes.ts";
import { type ServedEndpoint, serveEndpoints } from "./served_endpoints.ts";
import { serverSnapshot } from "./snapshot.ts";

/** The transports that need a certificate. */
const secureSchemes: readonly Scheme[] = ["tls", "wss", "quic"];

/** How often refusals that were not said yet, and a lack of descriptors, are looked for. */
const watchEveryMs = 1000;
/** The longest time that a timer can wait for. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * `holdfast server`: echoes on all endpoints until the signal is aborted or the duration is over,
 * and reports.
 *
 * @returns 0; being interrupted is how a server ends.
 * @throws {HoldfastError} it could not begin; nothing stays bound.
 */
export async function run(
  commandLine: CommandLine<ServerSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { positional, settings } = commandLine;
  const endpoints = (positional.length > 0 ? positional : defaultEndpoints).map(parseEndpoint);
  checkForEndpoints(endpoints.map(({ scheme }) => scheme), commandLine);
  const identity = identityOf(commandLine);
  const json = settings.jsonFile === undefined ? undefined : openOutput(settings.jsonFile, io);

  const startNs = nowNs();
  const elapsedMs = () => (nowNs() - startNs) / 1e6;
  const notes = new RefusalNotes((line) => io.note(line));
  try {
    const served = await serveEndpoints(endpoints, transports, {
      certificate: await certificateOf(endpoints, settings),
      backlog: settings.backlog,
      reusePort: settings.reusePort,
      idleTimeoutMs: settings.idleTimeoutMs,
      maxMessageBytes: settings.maxMessageBytes,
      maxPendingBytes: settings.maxPendingBytes,
      alpn: settings.alpn,
      serverId: serverIdOf(settings, identity),
      admission: new Admission(settings.maxConnections ?? Infinity),
      elapsedMs,
      refused: (endpoint, detail) =>
        notes.add(`${formatEndpoint(endpoint)}: ${detail}`, elapsedMs()),
    });
    const read = () =>
      serverSnapshot(
        identity,
        elapsedMs(),
        served.map(({ name, counters }) => ({ endpoint: name, counts: counters.counts() })),
      );
    try {
      for (const { name } of served) io.out(`listening on ${name}`);
      const descriptors = new DescriptorWatch((line) => io.note(line));
      await serveUntilStopped(commandLine, io, signal, read, () => {
        notes.flush(elapsedMs());
        descriptors.look();
      });
    } finally {
      await shutDown(served);
    }
    notes.flush(Infinity);
    const snapshot = read();
    for (const line of serverSummary(snapshot)) io.out(line);
    if (json !== undefined) writeSnapshotJson(json, snapshot);
    return exitCodes.ok;
  } finally {
    json?.close();
  }
}

/** What clients may learn: by default where and which process this is, unique among hosts. */
function serverIdOf(
  { announcedId }: ServerSettings,
  { host, pid }: RunIdentity,
): string | undefined {
  if (announcedId !== "auto") return announcedId;
  const suffix = `:${pid}`;
  return host.slice(0, maxServerIdBytes - suffix.length) + suffix;
}

async function certificateOf(
  endpoints: readonly Endpoint[],
  settings: ServerSettings,
): Promise<CertificatePair | undefined> {
  const secure = endpoints.filter(({ scheme }) => secureSchemes.includes(scheme));
  if (secure.length === 0) return undefined;
  return await serverCertificate(settings, secure.map(({ host }) => host));
}

/** Reports from time to time, until the signal is aborted or the duration is over. */
async function serveUntilStopped(
  { settings, given }: CommandLine<ServerSettings>,
  io: Io,
  signal: AbortSignal,
  read: () => ServerSnapshot,
  watch: () => void,
): Promise<void> {
  const stats = settings.statsAddress === "off" ? undefined : serveStats({
    hostname: settings.statsAddress.host,
    port: settings.statsAddress.port,
    isExact: given.has("statsAddress"),
    read,
  });
  if (stats !== undefined) io.out(`statistics on ${stats.url}`);
  const line = new ServerLine();
  const timers = [setInterval(watch, watchEveryMs)];
  if (!settings.quiet) {
    const everyMs = Math.min(settings.reportEveryMs, longestTimerMs);
    timers.push(setInterval(() => io.out(line.next(read())), everyMs));
  }
  try {
    await stopped(signal, settings.durationMs);
  } finally {
    for (const timer of timers) clearInterval(timer);
    await stats?.stop();
  }
}

/** Resolves when the signal is aborted, or after `durationMs` where that is given. */
async function stopped(signal: AbortSignal, durationMs = Infinity): Promise<void> {
  const endMs = performance.now() + durationMs;
  for (let restMs = durationMs; restMs > 0 && !signal.aborted; restMs = endMs - performance.now()) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, Math.min(restMs, longestTimerMs));
      signal.addEventListener("abort", done);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}

/** First nobody new anywhere, then the end of every connection. */
async function shutDown(served: readonly ServedEndpoint[]): Promise<void> {
  for (const { listener } of served) listener.stopAccepting();
  await Promise.all(served.map(({ listener }) => listener.shutdown()));
}
