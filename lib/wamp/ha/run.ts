import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type ExitCode, HostLimitError, UsageError } from "../../errors.ts";
import { ensureFds } from "../../host/limits.ts";
import type { CommandLine } from "../../options/command_line.ts";
import type { Io } from "../../report/io.ts";
import { openOutput } from "../../report/output.ts";
import { evaluate, type Expectation, parseExpectationOf } from "../../stats/expectations.ts";
import { formatElapsed } from "../../stats/figures.ts";
import type { Verdict } from "../../stats/snapshot.ts";
import { backendRows } from "../backend/options.ts";
import { payloadHeadBytes } from "../probe/payload_maker.ts";
import { type ProbePlan, procedureOf } from "../probe/plan.ts";
import { probeSnapshotToJson } from "../probe/snapshot_json.ts";
import { judgeProbe, probeExitCode } from "../probe/verdict.ts";
import { openAccess } from "../session/router_access.ts";
import { type ClientUrl, parseClientUrl } from "../transport/client_url.ts";
import { Child, holdfastCommand, waitFor } from "./child.ts";
import { Cluster, nodeBehind } from "./cluster.ts";
import { freePorts } from "./free_ports.ts";
import { Haproxy } from "./haproxy.ts";
import { haMetrics } from "./metrics.ts";
import type { HaSettings } from "./options.ts";
import { haReport } from "./report.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";
import type { HaSnapshot } from "./snapshot.ts";
import { Trial } from "./trial.ts";

const host = "127.0.0.1";
const timeoutMs = 5_000;
const startLimitMs = 20_000;
/** While nodes come and go, the load is not what is judged; a probe this late measures nothing. */
const maxLatenessP99Ns = 250e6;

/**
 * `holdfast wamp ha`: starts routers, HAProxy, a backend and a probe, does what a scenario says, and
 * reports what each step cost. Everything that it starts has ended when it returns.
 *
 * @throws {HoldfastError} the test could not begin.
 */
export async function run(
  commandLine: CommandLine<HaSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const expectations = settings.expectations.map((text) => parseExpectationOf(haMetrics, text));
  const scenario = scenarioOf(settings.scenario, settings.nodes, settings.rebalance);
  checkSettings(settings, scenario);
  ensureFds(settings.connections);
  const note = (line: string) => {
    if (!settings.quiet) io.note(line);
  };
  const json = settings.jsonFile === undefined ? undefined : openOutput(settings.jsonFile, io);
  const folder = folderOf(settings);
  const started: { stop(): unknown }[] = [];
  let trial: Trial | undefined;
  const ended = (child: Child) => {
    note(`${child.name} has ended by itself: ${child.lastLine}`);
    trial?.ended(child);
  };
  try {
    const cluster = new Cluster({
      nodes: settings.nodes,
      realm: settings.realm,
      firstPort: settings.firstPort ?? 0,
      folder,
      ended,
      cuttable: scenario.steps.flatMap(({ action, nodes }) =>
        action === "cut-link" ? [[nodes[0]!, nodes[1]!] as const] : []
      ),
    });
    started.push(cluster);
    const { haproxy, url } = makeBalancer(settings, cluster, folder);
    if (haproxy !== undefined) {
      started.push(haproxy);
      note(`balancer's configuration: ${haproxy.configFile}`);
      for (const line of haproxy.config.trimEnd().split("\n")) note(`  ${line}`);
    }
    note(`starting ${settings.nodes} routers`);
    await cluster.start(signal);
    await haproxy?.start(signal, ended);
    if (haproxy === undefined) await awaitBalancer(url, cluster, signal);
    if (settings.calls) started.push(await startBackend(settings, cluster, signal, ended));
    note(`all are up; probe through ${url.text}`);

    const plan = planOf(settings, url, scenario);
    trial = new Trial(plan, commandLine, scenario, cluster, haproxy, note);
    const stats = await trial.prepare(io);
    if (stats !== undefined) started.push(stats);
    started.push(trial);
    await trial.run(signal);
    const measured: HaSnapshot = trial.snapshot(settings, haproxy?.configFile);
    const snapshot = judged(measured, expectations);
    for (const line of haReport(snapshot)) io.out(line);
    if (json !== undefined) {
      const text = JSON.stringify(
        {
          ...snapshot,
          probe: probeSnapshotToJson(snapshot.probe, { encoded: true }),
        },
        null,
        2,
      );
      json.write(new TextEncoder().encode(`${text}\n`));
    }
    return probeExitCode(snapshot.probe);
  } finally {
    for (const each of started.reverse()) await each.stop();
    json?.close();
  }
}

function checkSettings(settings: HaSettings, scenario: Scenario): void {
  if (settings.payloadBytes < payloadHeadBytes) {
    throw new UsageError(`--size: a payload has at least ${payloadHeadBytes} bytes`);
  }
  if (settings.rebalance && scenario.steps.every(({ action }) => action !== "rebalance")) {
    throw new UsageError(
      `--rebalance has no effect: no node returns in ${scenario.name}; use --scenario return-node`,
    );
  }
}

function folderOf({ folder }: HaSettings): string {
  if (folder === undefined) return mkdtempSync(join(tmpdir(), "holdfast-ha-"));
  mkdirSync(folder, { recursive: true });
  return resolve(folder);
}

function makeBalancer(
  settings: HaSettings,
  cluster: Cluster,
  folder: string,
): { haproxy: Haproxy | undefined; url: ClientUrl } {
  if (settings.balancer !== undefined) {
    return { haproxy: undefined, url: parseClientUrl(settings.balancer) };
  }
  const port = settings.balancerPort ?? freePorts(1)[0]!;
  const haproxy = new Haproxy(folder, {
    host,
    port,
    nodes: cluster.nodes.map(({ name, wsPort }) => ({ name, host, port: wsPort })),
    statsSocket: join(folder, "haproxy.sock"),
    maxConnections: settings.connections * 2 + 100,
  }, settings.haproxy);
  return { haproxy, url: parseClientUrl(`ws://${host}:${port}/ws`) };
}

/** A balancer that runs already has its own idea of when a node is up: each has to have answered. */
async function awaitBalancer(
  { endpoint, text }: ClientUrl,
  { nodes }: Cluster,
  signal: AbortSignal,
): Promise<void> {
  if (endpoint.scheme !== "ws") return;
  const missing = new Set(nodes.map(({ name }) => name));
  const untilMs = performance.now() + startLimitMs;
  while (missing.size > 0 && !signal.aborted) {
    const name = await nodeBehind(endpoint);
    if (name !== undefined) missing.delete(name);
    if (performance.now() > untilMs) {
      throw new HostLimitError(
        `${[...missing].join(", ")} did not answer through ${text} within ` +
          `${startLimitMs / 1000} s; the balancer has to know 127.0.0.1 from --first-port on`,
      );
    }
    await Bun.sleep(20);
  }
}

/** One process has the procedures of all nodes, each registered at its own node. */
async function startBackend(
  settings: HaSettings,
  cluster: Cluster,
  signal: AbortSignal,
  ended: (child: Child) => void,
): Promise<{ stop(): Promise<void> }> {
  const urls = cluster.nodes.flatMap(({ rsPort }) => ["--url", `rs://${host}:${rsPort}`]);
  const child = new Child(
    "the backend",
    holdfastCommand(
      backendRows,
      ...["wamp", "backend", "--realm", settings.realm, "--serializer", settings.serializer],
      ...["--nodes", `${settings.nodes}`, "--silent"],
      ...urls,
    ),
  );
  child.watch(ended);
  try {
    await waitFor(
      "the registration of the procedures",
      startLimitMs,
      [child],
      signal,
      () => Promise.resolve(child.said.includes("registered ")),
    );
  } catch (error) {
    await child.end();
    throw error;
  }
  return { stop: () => child.end() };
}

function planOf(settings: HaSettings, url: ClientUrl, scenario: Scenario): ProbePlan {
  const { nodes, calls } = settings;
  return {
    ...openAccess,
    urls: [url],
    realm: settings.realm,
    serializer: settings.serializer,
    isBatched: false,
    client: 0,
    clients: 1,
    connections: settings.connections,
    publishingSessions: settings.connections,
    loops: 1,
    ratePerSecond: settings.ratePerSecond,
    stride: 1,
    payloadBytes: settings.payloadBytes,
    procedures: calls ? Array.from({ length: nodes }, (_, index) => procedureOf(index + 1)) : [],
    durationMs: scenario.durationMs,
    timeoutMs,
    isOpenLoop: true,
    logname: "ha",
    runTag: crypto.getRandomValues(new Uint32Array(1))[0]!,
  };
}

function judged(
  snapshot: HaSnapshot,
  expectations: readonly Expectation<HaSnapshot>[],
): HaSnapshot {
  const { probe } = snapshot;
  const own = judgeProbe(probe, [], maxLatenessP99Ns);
  const results = expectations.map((expectation) => evaluate(expectation, snapshot));
  const failed = results.filter(({ passed }) => !passed);
  const missed = failed.map(({ expectation, measured }) => `${expectation}: ${measured}.`);
  const lost = snapshot.ends.map(({ name, atMs, lastLine }) =>
    `${name} ended by itself after ${formatElapsed(atMs)}${lastLine === "" ? "" : `: ${lastLine}`}.`
  );
  const ownKind = own.kind === "ok" && lost.length > 0 ? "invalid" : own.kind;
  const verdict: Verdict = {
    kind: ownKind === "ok" && failed.length > 0 ? "expectation-failed" : ownKind,
    reasons: [...lost, ...missed, ...own.reasons],
    expectations: results,
  };
  return { ...snapshot, probe: { ...probe, verdict } };
}
