import { maxServerIdBytes } from "../codec/server_id.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import type { CommandLine } from "../options/command_line.ts";
import { serveStats } from "../report/http.ts";
import type { Io } from "../report/io.ts";
import { writeSnapshotJson } from "../report/json.ts";
import { openOutput } from "../report/output.ts";
import { identityOf } from "../report/run_identity.ts";
import { ServerLine, serverSummary } from "../report/server_report.ts";
import { snapshotView } from "../report/stats_view.ts";
import { nowNs } from "../stats/clock.ts";
import type { RunIdentity } from "../stats/snapshot.ts";
import { type Endpoint, parseEndpoint, type Scheme } from "../transport/endpoint.ts";
import { serverCertificate } from "../transport/server_certificate.ts";
import type { CertificatePair } from "../transport/transport.ts";
import { requireFreePorts } from "./free_ports.ts";
import { LocalServing } from "./local_serving.ts";
import { checkForEndpoints, defaultEndpoints, type ServerSettings } from "./options.ts";
import type { Serving, ServingSettings } from "./serving.ts";
import { workerCount } from "./worker_count.ts";
import { WorkersServing } from "./workers_serving.ts";

/** The transports that need a certificate. */
const secureSchemes: readonly Scheme[] = ["tls", "wss", "quic"];

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

  const workers = workerCount(settings);
  const start: ServingSettings = {
    endpoints,
    settings,
    certificate: await certificateOf(endpoints, settings),
    run: identity,
    serverId: serverIdOf(settings, identity),
    startNs: nowNs(),
    note: (line) => io.note(line),
  };
  try {
    if (workers > 1) await requireFreePorts(start);
    const serving: Serving = workers === 1
      ? await LocalServing.start(start)
      : await WorkersServing.start({ ...start, workers });
    let failure: Error | undefined;
    try {
      for (const name of serving.names) io.out(`listening on ${name}`);
      failure = await serveUntilStopped(commandLine, io, signal, serving);
    } finally {
      await serving.stop();
    }
    const snapshot = serving.snapshot();
    for (const line of serverSummary(snapshot)) io.out(line);
    if (json !== undefined) writeSnapshotJson(json, snapshot);
    if (failure !== undefined) throw failure;
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

/**
 * Reports from time to time, until the signal is aborted or the duration is over.
 *
 * @returns why nothing is served any more, where that came first.
 */
async function serveUntilStopped(
  { settings, given }: CommandLine<ServerSettings>,
  io: Io,
  signal: AbortSignal,
  serving: Serving,
): Promise<Error | undefined> {
  const read = () => serving.snapshot();
  const stats = settings.statsAddress === "off" ? undefined : serveStats({
    hostname: settings.statsAddress.host,
    port: settings.statsAddress.port,
    isExact: given.has("statsAddress"),
    view: snapshotView(read),
  });
  if (stats !== undefined) io.out(`statistics on ${stats.url}`);
  const line = new ServerLine();
  const everyMs = Math.min(settings.reportEveryMs, longestTimerMs);
  const reports = settings.quiet
    ? undefined
    : setInterval(() => io.out(line.next(read())), everyMs);
  try {
    const isOver = stopped(signal, settings.durationMs).then(() => undefined);
    return await Promise.race([isOver, ...serving.failed === undefined ? [] : [serving.failed]]);
  } finally {
    clearInterval(reports);
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
