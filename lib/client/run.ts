import { hostname } from "node:os";
import process from "node:process";
import { createDnsCodec } from "../codec/dns.ts";
import { createEchoCodec } from "../codec/echo.ts";
import type { Codec } from "../codec/codec.ts";
import { type ExitCode, exitCodes, UsageError } from "../errors.ts";
import { clientSnapshot, type SnapshotContext } from "../load/client_snapshot.ts";
import { LoadGenerator } from "../load/load_generator.ts";
import type { CommandLine } from "../options/command_line.ts";
import { labelRecord } from "../options/label.ts";
import { serveStats, type StatsServer } from "../report/http.ts";
import type { Io } from "../report/io.ts";
import { parseExpectation } from "../stats/expectations.ts";
import type { ClientSnapshot, RunIdentity } from "../stats/snapshot.ts";
import { withoutConnections } from "../stats/stop_reason.ts";
import { exitCodeOf, judge } from "../stats/verdict.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../transport/endpoint.ts";
import { transports } from "../transport/registry.ts";
import type { TransportTraits } from "../transport/transport.ts";
import { requireDescriptors } from "./descriptors.ts";
import { dialSettings, readText } from "./dialing.ts";
import { loadSettings } from "./load_plan.ts";
import { checkForScheme, type ClientSettings } from "./options.ts";
import { Results } from "./results.ts";

/**
 * `holdfast client`: opens the connections, sends the load, reports.
 *
 * @returns the exit code of the run's verdict; 4 where the target left it without a connection or an
 * answer, 5 where this host did.
 * @throws {HoldfastError} the run could not begin.
 */
export async function run(
  commandLine: CommandLine<ClientSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const endpoint = targetOf(commandLine);
  const expectations = settings.expectations.map(parseExpectation);
  const plan = loadSettings(settings, await scheduleText(settings, io));
  requireDescriptors(endpoint.scheme, settings);
  const dialing = await dialSettings(endpoint, settings);
  const results = new Results(settings, io);
  try {
    const generator = await LoadGenerator.create(plan, {
      dial: (handlers) => transports[endpoint.scheme].dial(endpoint, handlers, dialing),
      codecFor: (traits) => codecFor(settings, traits),
      second: (interval, startNs, endNs) => {
        results.second(interval, startNs, endNs, clientSnapshot(generator, context));
      },
      ...(results.trace === undefined ? {} : { trace: results.trace }),
    });
    const context: SnapshotContext = {
      run: identityOf(commandLine),
      endpoint: formatEndpoint(endpoint),
    };
    results.start(generator, context.run);
    const stats = serve(commandLine, io, () => clientSnapshot(generator, context));
    try {
      await generator.run(signal);
    } finally {
      stats?.stop();
    }
    const measured = clientSnapshot(generator, context);
    const verdict = judge(measured, {
      expectations,
      maxLatenessP99Ns: settings.maxScheduleErrorMs * 1e6,
    });
    const snapshot: ClientSnapshot = { ...measured, verdict };
    results.finish(snapshot);
    return exitCode(snapshot, io);
  } finally {
    results.close();
  }
}

/** The run, which starts now. */
function identityOf({ settings, rendered, version }: CommandLine<ClientSettings>): RunIdentity {
  return {
    version,
    host: hostname(),
    pid: process.pid,
    startedAt: new Date().toISOString(),
    labels: labelRecord(settings.labels),
    settings: rendered,
  };
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

function codecFor(settings: ClientSettings, traits: TransportTraits): Codec {
  const { framing, maxMessageBytes } = traits;
  if (settings.codec === "dns") return createDnsCodec({ query: settings.query, framing });
  if (settings.sizeBytes > maxMessageBytes) {
    throw new UsageError(
      `--size ${settings.sizeBytes} does not fit: this transport carries messages of at most ` +
        `${maxMessageBytes} bytes`,
    );
  }
  return createEchoCodec({ sizeBytes: settings.sizeBytes, framing });
}

function serve(
  { settings, given }: CommandLine<ClientSettings>,
  io: Io,
  read: () => ClientSnapshot,
): StatsServer | undefined {
  const address = settings.statsAddress;
  if (address === "off") return undefined;
  const { host: hostname, port } = address;
  const stats = serveStats({ hostname, port, isExact: given.has("statsAddress"), read });
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
  io.note(`holdfast: ${endpoint}: ${verdict.reasons[0]}`);
  return withoutConnections(snapshot)?.isOfHost === true
    ? exitCodes.hostLimit
    : exitCodes.targetUnreachable;
}
