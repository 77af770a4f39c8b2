import { resolve } from "node:path";
import { type ExitCode, exitCodes, FileError } from "../../errors.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { serveStats, type StatsServer } from "../../report/http.ts";
import type { Io } from "../../report/io.ts";
import { openOutput, type Output } from "../../report/output.ts";
import { identityOf } from "../../report/run_identity.ts";
import { parseExpectationOf } from "../../stats/expectations.ts";
import { formatElapsed } from "../../stats/figures.ts";
import { exitCodeOf } from "../../stats/verdict.ts";
import { scrapeConfig } from "../metrics/scrape_config.ts";
import type { NetworkProtocol } from "../network/network.ts";
import { comparison } from "./comparison.ts";
import { LocalNetwork } from "./local_network.ts";
import { networkToJson } from "./network_json.ts";
import { NetworkLine } from "./network_line.ts";
import { networkMetrics } from "./network_metrics.ts";
import { loopback, type NetworkPlan, planOf } from "./network_plan.ts";
import { networkSummary } from "./network_summary.ts";
import { judgeNetwork } from "./network_verdict.ts";
import { networkView } from "./network_view.ts";
import { writeNodeResults } from "./node_results.ts";
import type { LocalSettings } from "./options.ts";
import { RunFolder } from "./run_folder.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/**
 * `holdfast p2p local`: starts the nodes, lets them broadcast, reports on all of them as one.
 *
 * @returns the exit code of the verdict; of several that are compared, the first that is not 0.
 * @throws {HoldfastError} the run could not begin; no process is left behind.
 */
export async function run(
  commandLine: CommandLine<LocalSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const plan = planOf(commandLine);
  const expectations = settings.expectations.map((text) =>
    parseExpectationOf(networkMetrics, text)
  );
  const identity = identityOf(commandLine);
  const outputs = new ResultFiles(settings, io);
  const folder = RunFolder.create(
    resolve(settings.runFolder ?? RunFolder.usualName(new Date(identity.startedAt))),
  );
  let current: LocalNetwork | undefined;
  let stats: StatsServer | undefined;
  const runs: NetworkSnapshot[] = [];
  try {
    outputs.writeScrapeConfig(plan);
    if (plan.metricPorts !== undefined) folder.write("prometheus.yml", scrapeConfigOf(plan));
    if (!settings.quiet) io.note(`logs and results in ${folder.path}`);
    for (const protocol of plan.protocols) {
      const part = plan.protocols.length === 1 ? folder : folder.folder(protocol);
      const line = new NetworkLine();
      const network: LocalNetwork = new LocalNetwork({
        ...{ plan, protocol, run: identity, folder: part },
        environment: commandLine.environment,
        note: (text) => io.note(text),
        second: (snapshot) => {
          if (settings.quiet || snapshot.phase === "done") return;
          if (io.isTerminal) io.live(line.next(snapshot));
          else io.note(line.next(snapshot));
        },
      });
      current = network;
      stats ??= serve(commandLine, io, () => current!.snapshot());
      if (!settings.quiet && plan.protocols.length > 1) io.note(`${protocol}:`);
      announce(network, plan, io, settings.quiet);
      try {
        await network.run(signal);
      } finally {
        io.live("");
      }
      const measured = network.snapshot();
      const verdict = judgeNetwork(measured, {
        expectations,
        maxLatenessP99Ns: settings.maxLatenessMs * 1e6,
      });
      const snapshot: NetworkSnapshot = { ...measured, verdict };
      runs.push(snapshot);
      writeNodeResults(part, network.nodes);
      const summary = networkSummary(snapshot);
      part.write("network.json", jsonText(networkToJson(snapshot, { encoded: true })));
      part.write("summary.txt", `${summary.join("\n")}\n`);
      for (const text of [...summary, ...(plan.protocols.length > 1 ? [""] : [])]) io.out(text);
      part.close();
      if (signal.aborted) break;
    }
    if (plan.protocols.length > 1) {
      const lines = comparison(runs);
      folder.write("summary.txt", `${lines.join("\n")}\n`);
      for (const text of lines) io.out(text);
    }
    outputs.writeJson(runs, plan.protocols);
    const failure = folder.failure ?? outputs.failure;
    if (failure !== undefined) throw failure;
    return exitCodeOfAll(runs, signal.aborted);
  } finally {
    await current?.close();
    await stats?.stop();
    folder.close();
    outputs.close();
  }
}

/** Files that were named on the command line: opened before the run. */
class ResultFiles {
  failure: FileError | undefined;
  readonly #json: Output | undefined;
  readonly #prometheus: Output | undefined;

  /** @throws {FileError} one of them cannot be written. */
  constructor({ jsonFile, prometheusFile }: LocalSettings, io: Io) {
    this.#json = jsonFile === undefined ? undefined : openOutput(jsonFile, io);
    this.#prometheus = prometheusFile === undefined ? undefined : openOutput(prometheusFile, io);
  }

  writeScrapeConfig(plan: NetworkPlan): void {
    this.#write(this.#prometheus, scrapeConfigOf(plan));
  }

  /** One run as it is, several as a list. */
  writeJson(runs: readonly NetworkSnapshot[], protocols: readonly NetworkProtocol[]): void {
    const all = runs.map((snapshot) => networkToJson(snapshot, { encoded: true }));
    const [first] = all;
    if (protocols.length > 1) {
      this.#write(this.#json, jsonText({ role: "p2p-comparison", runs: all }));
    } else if (first !== undefined) {
      this.#write(this.#json, jsonText(first));
    }
  }

  close(): void {
    this.#json?.close();
    this.#prometheus?.close();
  }

  #write(output: Output | undefined, text: string): void {
    try {
      output?.write(new TextEncoder().encode(text));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.failure ??= error;
    }
  }
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function scrapeConfigOf({ metricPorts = [] }: NetworkPlan): string {
  return scrapeConfig(
    metricPorts.map((port, nodeId) => ({ nodeId, address: `${loopback}:${port}` })),
  );
}

function announce({ trials }: LocalNetwork, plan: NetworkPlan, io: Io, quiet: boolean): void {
  if (quiet || trials === undefined) return;
  const { runSeconds, coolDownSeconds } = plan.explore;
  const totalMs = trials.combinations.length * (runSeconds + coolDownSeconds) * 1000;
  const first = new Date((trials.firstPeriod * trials.clock.periodSeconds) * 1000);
  io.note(
    `explore tries ${trials.combinations.length} combinations in ${
      formatElapsed(totalMs)
    }, by the ` +
      `clock, from ${first.toISOString()} on`,
  );
}

function serve(
  { settings, given }: CommandLine<LocalSettings>,
  io: Io,
  read: () => NetworkSnapshot,
): StatsServer | undefined {
  const address = settings.statsAddress;
  if (address === "off") return undefined;
  const { host: hostname, port } = address;
  const isExact = given.has("statsAddress");
  const stats = serveStats({ hostname, port, isExact, view: networkView(read) });
  if (!settings.quiet) io.note(`statistics on ${stats.url}`);
  return stats;
}

function exitCodeOfAll(runs: readonly NetworkSnapshot[], isInterrupted: boolean): ExitCode {
  if (isInterrupted) return exitCodes.interrupted;
  const codes = runs.map(({ verdict }) =>
    verdict?.kind === "stopped-by-limit" ? exitCodes.targetUnreachable : exitCodeOf(verdict, false)
  );
  return codes.find((code) => code !== exitCodes.ok) ?? exitCodes.ok;
}
