import { type ExitCode, exitCodes, UsageError } from "../errors.ts";
import type { CommandLine } from "../options/command_line.ts";
import { serveStats, type StatsServer } from "../report/http.ts";
import type { Io } from "../report/io.ts";
import { identityOf } from "../report/run_identity.ts";
import { snapshotView } from "../report/stats_view.ts";
import { parseExpectation } from "../stats/expectations.ts";
import { formatElapsed } from "../stats/figures.ts";
import type { ClientSnapshot } from "../stats/snapshot.ts";
import { judgeRamp, rampExitCode } from "../stats/ramp_verdict.ts";
import { withoutConnections } from "../stats/stop_reason.ts";
import { exitCodeOf, judge } from "../stats/verdict.ts";
import { readText } from "../transport/certificate_files.ts";
import { type Endpoint, parseEndpoint } from "../transport/endpoint.ts";
import { requireDescriptors } from "./descriptors.ts";
import { dialSettings } from "./dialing.ts";
import { HostWatch } from "./host_watch.ts";
import { loadSettings } from "./load_plan.ts";
import { LocalMeasurement } from "./local_measurement.ts";
import type { Measurement, SecondHandler } from "./measurement.ts";
import { checkForScheme, type ClientSettings } from "./options.ts";
import { fillInRamp, isRamp, type MostConnections } from "./ramp_settings.ts";
import { RampWatch } from "./ramp_watch.ts";
import { Results } from "./results.ts";
import { planSources } from "./sources.ts";
import { awaitInstant, requireFuture } from "./start_at.ts";
import { workerCount } from "./worker_count.ts";
import { WorkersMeasurement } from "./workers_measurement.ts";

/**
 * `holdfast client`: opens the connections, sends the load, reports.
 *
 * @returns the exit code of the run's verdict; 4 where the target left it without a connection or an
 * answer, 5 where this host did.
 * @throws {HoldfastError} the run could not begin.
 */
export async function run(
  given: CommandLine<ClientSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const endpoint = targetOf(given);
  const { commandLine, most, notes } = fillInRamp(given, endpoint);
  const { settings } = commandLine;
  const expectations = settings.expectations.map(parseExpectation);
  const schedule = await scheduleText(settings, io);
  const plan = loadSettings(settings, schedule);
  if (settings.startAt !== undefined) requireFuture(settings.startAt);
  const workers = workerCount(endpoint.scheme, settings, plan);
  if (workers === 1) requireDescriptors(endpoint.scheme, settings);
  const sources = await planSources(endpoint, settings, settings.connections, most !== undefined);
  const hints = [...notes, ...(sources?.note === undefined ? [] : [sources.note])];
  if (!settings.quiet) { for (const hint of hints) io.note(hint); }
  const dialing = dialSettings(settings, workers === 1 ? sources?.table : undefined);
  const maxLatenessP99Ns = settings.maxScheduleErrorMs * 1e6;
  const results = new Results(settings, io);
  let ramp: RampWatch | undefined;
  let measurement: Measurement | undefined;
  try {
    ramp = await openRamp(settings, endpoint, most, workers, (line) => {
      if (!settings.quiet) io.note(line);
      measurement?.finish();
    });
    const host = ramp === undefined ? await HostWatch.start(endpoint, maxLatenessP99Ns) : undefined;
    const run = identityOf(commandLine, settings.startAt);
    const second: SecondHandler = (...second) => {
      results.second(...second);
      ramp?.second(...second);
      host?.second(...second);
    };
    const load = measurement = workers === 1
      ? await LocalMeasurement.create({
        endpoint,
        settings,
        plan,
        dialing,
        run,
        second,
        ...(results.trace === undefined ? {} : { trace: results.trace }),
      })
      : await WorkersMeasurement.create({
        endpoint,
        settings,
        scheduleText: schedule,
        sources: sources?.table,
        run,
        workers,
        second,
        note: (line) => io.note(line),
      });
    results.start(run);
    const read = (): ClientSnapshot =>
      ramp === undefined ? load.snapshot() : { ...load.snapshot(), ramp: ramp.report() };
    const stats = serve(commandLine, io, read);
    try {
      await load.run(signal, await startInstant(settings, io, signal));
    } finally {
      stats?.stop();
    }
    await ramp?.end(load.snapshot());
    const measured = read();
    const judged = judge(measured, {
      expectations,
      maxLatenessP99Ns,
      hostFaults: host?.faults ?? [],
    });
    const verdict = judgeRamp(judged, measured);
    const snapshot: ClientSnapshot = { ...measured, verdict };
    results.finish(snapshot);
    return exitCode(snapshot, io);
  } finally {
    measurement?.close();
    results.close();
    ramp?.close();
  }
}

/** What watches a run that opens connections until something breaks. */
async function openRamp(
  settings: ClientSettings,
  endpoint: Endpoint,
  most: MostConnections | undefined,
  workers: number,
  broken: (line: string) => void,
): Promise<RampWatch | undefined> {
  if (!isRamp(settings)) return undefined;
  return await RampWatch.open({ settings, endpoint, most, workers, broken });
}

/** When the first connect is due (clock time), where `--start-at` says it; waits until shortly before. */
async function startInstant(
  { startAt, quiet }: ClientSettings,
  io: Io,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (startAt === undefined) return undefined;
  const waitMs = startAt - Date.now();
  if (!quiet) io.note(`waiting ${formatElapsed(waitMs)}, until ${new Date(startAt).toISOString()}`);
  return await awaitInstant(startAt, signal);
}

/** @throws {UsageError} there is not exactly one endpoint, or options have no meaning on it. */
function targetOf(commandLine: CommandLine<ClientSettings>): Endpoint {
  const [text, ...more] = commandLine.positional;
  if (text === undefined || more.length > 0) {
    throw new UsageError(
      `client takes one endpoint, ${commandLine.positional.length} came; ` +
        `for instance: holdfast client tcp://localhost:4242`,
    );
  }
  const endpoint = parseEndpoint(text);
  if (endpoint.port === 0) {
    throw new UsageError(`endpoint ${JSON.stringify(text)} has port 0, which no server listens on`);
  }
  checkForScheme(endpoint.scheme, commandLine);
  return endpoint;
}

async function scheduleText(settings: ClientSettings, io: Io): Promise<string | undefined> {
  const { scheduleFile } = settings;
  if (scheduleFile === undefined) return undefined;
  return scheduleFile === "-" ? await io.readStdin() : readText(scheduleFile, "--schedule");
}

function serve(
  { settings, given }: CommandLine<ClientSettings>,
  io: Io,
  read: () => ClientSnapshot,
): StatsServer | undefined {
  const address = settings.statsAddress;
  if (address === "off") return undefined;
  const { host: hostname, port } = address;
  const stats = serveStats({
    hostname,
    port,
    isExact: given.has("statsAddress"),
    view: snapshotView(read),
  });
  if (!settings.quiet) io.note(`statistics on ${stats.url}`);
  return stats;
}

/**
 * A target that could not be measured is an error: it gets its line on stderr, as errors that keep
 * a run from starting do.
 */
function exitCode(snapshot: ClientSnapshot, io: Io): ExitCode {
  const { verdict, interrupted, endpoint } = snapshot;
  if (interrupted || verdict?.kind !== "stopped-by-limit") return exitCodeOf(verdict, interrupted);
  const ofRamp = rampExitCode(snapshot.ramp, verdict);
  if (ofRamp !== undefined) return ofRamp;
  io.note(`holdfast: ${endpoint}: ${verdict.reasons[0]}`);
  return withoutConnections(snapshot)?.isOfHost === true
    ? exitCodes.hostLimit
    : exitCodes.targetUnreachable;
}
