import { type ExitCode, UsageError } from "../../errors.ts";
import { ensureFds } from "../../host/limits.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { serveStats, type StatsServer } from "../../report/http.ts";
import type { Io } from "../../report/io.ts";
import { openOutput } from "../../report/output.ts";
import { identityOf } from "../../report/run_identity.ts";
import { parseExpectationOf } from "../../stats/expectations.ts";
import { formatCount } from "../../stats/figures.ts";
import { routerAccessOf } from "../session/router_access.ts";
import { probeMetrics } from "./metrics.ts";
import { probeRows, type ProbeSettings } from "./options.ts";
import { PeriodLines } from "./period_lines.ts";
import { type ProbePlan, procedureOf, sessionsOf } from "./plan.ts";
import type { Probe } from "./probe.ts";
import { probeView } from "./probe_view.ts";
import type { ProbeSnapshot } from "./snapshot.ts";
import { probeSnapshotToJson } from "./snapshot_json.ts";
import { SoloProbe } from "./solo_probe.ts";
import { probeSummary } from "./summary.ts";
import { judgeProbe, probeExitCode } from "./verdict.ts";
import { WorkersProbe } from "./workers_probe.ts";

/**
 * `holdfast wamp probe`: joins a realm with many sessions, publishes and calls, and keeps the books of
 * what comes back.
 *
 * @returns the exit code of the verdict; 4 where no session could be opened.
 * @throws {HoldfastError} the run could not begin.
 */
export async function run(
  commandLine: CommandLine<ProbeSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const expectations = settings.expectations.map((text) => parseExpectationOf(probeMetrics, text));
  const plan = planOf(commandLine);
  if (plan.clients === 1) ensureFds(sessionsOf(plan));
  const json = settings.jsonFile === undefined ? undefined : openOutput(settings.jsonFile, io);
  const identity = identityOf(commandLine);
  const periods = new Periods(settings, io);
  let probe: Probe | undefined;
  let stats: StatsServer | undefined;
  try {
    const second = (_: unknown, snapshot: ProbeSnapshot) => periods.second(snapshot);
    const note = (line: string) => io.note(line);
    const running = probe = plan.clients === 1
      ? await SoloProbe.create(plan, identity, second, settings.debug ? sessionNotes(note) : {})
      : await WorkersProbe.create(
        plan,
        identity,
        settings.debug,
        second,
        note,
        commandLine.environment,
      );
    stats = serve(commandLine, io, () => running.snapshot());
    await running.run(signal);
    const measured = running.snapshot();
    const verdict = judgeProbe(measured, expectations, settings.maxLatenessMs * 1e6);
    const snapshot: ProbeSnapshot = { ...measured, verdict };
    for (const line of probeSummary(snapshot)) io.out(line);
    if (json !== undefined) {
      const text = JSON.stringify(probeSnapshotToJson(snapshot, { encoded: true }), null, 2);
      json.write(new TextEncoder().encode(`${text}\n`));
    }
    return probeExitCode(snapshot);
  } finally {
    await stats?.stop();
    probe?.close();
    json?.close();
  }
}

function planOf(commandLine: CommandLine<ProbeSettings>): ProbePlan {
  const { settings } = commandLine;
  const { serializer, calls, nodes } = settings;
  const access = routerAccessOf(probeRows, commandLine);
  return {
    ...access,
    serializer,
    isBatched: settings.batched,
    client: 0,
    clients: settings.clients,
    connections: settings.connections,
    publishingSessions: publishingSessions(settings, access.urls.length),
    loops: settings.loops,
    ratePerSecond: settings.ratePerSecond,
    stride: settings.stride,
    payloadBytes: settings.payloadBytes,
    procedures: calls ? Array.from({ length: nodes }, (_, index) => procedureOf(index + 1)) : [],
    durationMs: settings.durationMs,
    timeoutMs: settings.timeoutMs,
    isOpenLoop: settings.openLoop,
    logname: settings.logname,
    runTag: crypto.getRandomValues(new Uint32Array(1))[0]!,
  };
}

/** @throws {UsageError} more sessions are to publish than there are. */
function publishingSessions(settings: ProbeSettings, urls: number): number {
  const sessions = settings.clients * settings.connections * urls;
  const { publishers = sessions } = settings;
  if (publishers <= sessions) return publishers;
  throw new UsageError(
    `--publishers ${publishers} is more than the ${
      formatCount(sessions)
    } sessions that there are; ` +
      "write a smaller one, or more --connections",
  );
}

function sessionNotes(note: (line: string) => void) {
  return {
    sessionBack: (id: number, _atNs: number, node: string) =>
      note(`session ${id} joined on ${node}`),
    sessionLost: (
      id: number,
      _atNs: number,
      node: string,
      failure: { readonly detail: string } | undefined,
    ) => note(`session ${id} on ${node} ended: ${failure?.detail ?? "asked for"}`),
  };
}

/** Prints the lines of each period, and of the rest at the end. */
class Periods {
  readonly #lines = new PeriodLines();
  readonly #settings: ProbeSettings;
  readonly #io: Io;
  #printed = 0;
  #hasBegun = false;

  constructor(settings: ProbeSettings, io: Io) {
    this.#settings = settings;
    this.#io = io;
  }

  second(snapshot: ProbeSnapshot): void {
    if (this.#settings.silent) return;
    const { phase, steadyMs } = snapshot;
    if (!this.#hasBegun) {
      // Before the plan begins there is nothing to count.
      this.#lines.begin(snapshot);
      this.#hasBegun = phase !== "ramp";
    }
    const periods = Math.floor(steadyMs / this.#settings.periodMs);
    if (periods === this.#printed && phase !== "done") return;
    this.#printed = periods;
    for (const line of this.#lines.next(snapshot)) this.#io.note(line);
  }
}

function serve(
  { settings, given }: CommandLine<ProbeSettings>,
  io: Io,
  read: () => ProbeSnapshot,
): StatsServer | undefined {
  const address = settings.statsAddress;
  if (address === "off") return undefined;
  const { host: hostname, port } = address;
  const isExact = given.has("statsAddress");
  const stats = serveStats({ hostname, port, isExact, view: probeView(read) });
  if (!settings.silent) io.note(`statistics on ${stats.url}`);
  return stats;
}
