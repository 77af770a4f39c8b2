import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type ExitCode, HostLimitError, UsageError } from "../../errors.ts";
import { ensureFds } from "../../host/limits.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { serveStats } from "../../report/http.ts";
import type { Io } from "../../report/io.ts";
import { openOutput } from "../../report/output.ts";
import { identityOf } from "../../report/run_identity.ts";
import { evaluate, type Expectation, parseExpectationOf } from "../../stats/expectations.ts";
import type { ServerSpread } from "../../stats/outage.ts";
import type { Verdict } from "../../stats/snapshot.ts";
import { payloadHeadBytes } from "../probe/payload_maker.ts";
import { type ProbePlan, procedureOf } from "../probe/plan.ts";
import { probeView } from "../probe/probe_view.ts";
import { lostOf, type ProbeHistograms, type ProbeSnapshot } from "../probe/snapshot.ts";
import { probeSnapshotToJson } from "../probe/snapshot_json.ts";
import { SoloProbe } from "../probe/solo_probe.ts";
import { judgeProbe, probeExitCode } from "../probe/verdict.ts";
import { type ClientUrl, parseClientUrl } from "../transport/client_url.ts";
import { Child, holdfastCommand, waitFor } from "./child.ts";
import { Cluster, nodeBehind } from "./cluster.ts";
import { Conductor } from "./conductor.ts";
import { freePorts } from "./free_ports.ts";
import { Haproxy } from "./haproxy.ts";
import { haMetrics } from "./metrics.ts";
import type { HaSettings } from "./options.ts";
import { haReport } from "./report.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";
import type { AxisSecond, HaSnapshot } from "./snapshot.ts";
import { StepLog } from "./step_log.ts";

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
  try {
    const cluster = new Cluster({
      nodes: settings.nodes,
      realm: settings.realm,
      firstPort: settings.firstPort ?? 0,
      folder,
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
    await haproxy?.start(signal);
    if (haproxy === undefined) await awaitBalancer(url, cluster, signal);
    if (settings.calls) started.push(await startBackend(settings, cluster, signal));
    note(`all are up; probe through ${url.text}`);

    const plan = planOf(settings, url, scenario);
    const test = new HaTest(plan, commandLine, scenario, cluster, haproxy, note);
    const stats = await test.prepare(io);
    if (stats !== undefined) started.push(stats);
    started.push(test);
    await test.run(signal);
    const measured: HaSnapshot = test.snapshot(settings, haproxy?.configFile);
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
): Promise<{ stop(): Promise<void> }> {
  const urls = cluster.nodes.flatMap(({ rsPort }) => ["--url", `rs://${host}:${rsPort}`]);
  const child = new Child(
    "the backend",
    holdfastCommand(
      ...["wamp", "backend", "--realm", settings.realm, "--serializer", settings.serializer],
      ...["--nodes", `${settings.nodes}`, "--silent"],
      ...urls,
    ),
  );
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
    urls: [url],
    realm: settings.realm,
    serializer: settings.serializer,
    isBatched: false,
    client: 0,
    clients: 1,
    connections: settings.connections,
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

/** The probe's run with the steps in it. */
class HaTest {
  readonly #plan: ProbePlan;
  readonly #commandLine: CommandLine<HaSettings>;
  readonly #scenario: Scenario;
  readonly #cluster: Cluster;
  readonly #balancer: Haproxy | undefined;
  readonly #note: (line: string) => void;
  readonly #axis: AxisSecond[] = [];
  readonly #log: StepLog;
  #probe!: SoloProbe;
  #conductor!: Conductor;
  #last: ProbeSnapshot | undefined;

  constructor(
    plan: ProbePlan,
    commandLine: CommandLine<HaSettings>,
    scenario: Scenario,
    cluster: Cluster,
    balancer: Haproxy | undefined,
    note: (line: string) => void,
  ) {
    this.#plan = plan;
    this.#commandLine = commandLine;
    this.#scenario = scenario;
    this.#cluster = cluster;
    this.#balancer = balancer;
    this.#note = note;
    this.#log = new StepLog({
      counts: () => this.#counts(),
      spread: () => this.#withAllNodes(this.#probe.local.keeper.spread()),
    });
  }

  async prepare(io: Io): Promise<{ stop(): unknown } | undefined> {
    const identity = identityOf(this.#commandLine);
    this.#probe = await SoloProbe.create(
      this.#plan,
      identity,
      (interval, snapshot) => this.#second(interval, snapshot),
      {
        sessionLost: (id, atNs, _node, failure) =>
          this.#log.sessionLost(id, atNs, failure === undefined),
        sessionBack: (id, atNs) => this.#log.sessionBack(id, atNs),
        began: (atNs) => this.#conductor.begin(atNs),
        ended: () => this.#end(),
      },
    );
    this.#conductor = new Conductor(
      this.#scenario,
      this.#cluster,
      this.#balancer,
      this.#probe.local.keeper,
      this.#log,
      this.#note,
    );
    const { settings: { statsAddress, quiet }, given } = this.#commandLine;
    if (statsAddress === "off") return undefined;
    const stats = serveStats({
      hostname: statsAddress.host,
      port: statsAddress.port,
      isExact: given.has("statsAddress"),
      view: probeView(() => this.#probe.snapshot()),
    });
    if (!quiet) io.note(`statistics on ${stats.url}`);
    return stats;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#probe.run(signal);
  }

  stop(): void {
    this.#conductor.stop();
  }

  #end(): void {
    this.#conductor.stop();
    this.#log.end();
  }

  /** Also those that have no session. */
  #withAllNodes(spread: Readonly<ServerSpread>): ServerSpread {
    const none = Object.fromEntries(this.#cluster.nodes.map(({ name }) => [name, 0]));
    return { ...none, ...spread };
  }

  #counts() {
    const { load } = this.#probe.local;
    const { publications, calls, book } = load;
    return {
      published: load.publishedCounts(),
      eventsDuplicated: book.totals.duplicated,
      publicationsFailed: lostOf(publications) + publications.refused,
      callsFailed: lostOf(calls) + calls.refused,
    };
  }

  #second({ delivery }: ProbeHistograms, snapshot: ProbeSnapshot): void {
    const last = this.#last;
    this.#last = snapshot;
    if (last === undefined || snapshot.phase !== "steady") return;
    const since = (read: (snapshot: ProbeSnapshot) => number) => read(snapshot) - read(last);
    this.#axis.push({
      atMs: snapshot.steadyMs,
      open: snapshot.sessions.open,
      spread: this.#withAllNodes(snapshot.nodes),
      events: since(({ events }) => events.unique),
      acknowledged: since(({ publications }) => publications.answered),
      callsFailed: since(({ calls }) => lostOf(calls) + calls.refused),
      publicationsFailed: since(({ publications }) => lostOf(publications) + publications.refused),
      deliveryP99Ns: delivery.percentileNs(99),
      steps: this.#conductor.takeSteps(),
    });
  }

  snapshot(settings: HaSettings, configFile: string | undefined): HaSnapshot {
    const { load } = this.#probe.local;
    const { book } = load;
    const totals = load.totals();
    const probe = this.#probe.snapshot();
    return {
      role: "wamp-ha",
      scenario: this.#scenario.name,
      nodes: settings.nodes,
      balancer: settings.balancer ?? "HAProxy",
      configFile,
      steps: this.#log.reports((from, to) => book.lostBetween(totals, from, to)),
      axis: this.#axis,
      probe: { ...probe, nodes: this.#withAllNodes(probe.nodes) },
    };
  }
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
  const verdict: Verdict = {
    kind: own.kind === "ok" && failed.length > 0 ? "expectation-failed" : own.kind,
    reasons: [...missed, ...own.reasons],
    expectations: results,
  };
  return { ...snapshot, probe: { ...probe, verdict } };
}
