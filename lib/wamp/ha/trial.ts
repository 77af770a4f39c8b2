import type { CommandLine } from "../../options/command_line.ts";
import { serveStats } from "../../report/http.ts";
import type { Io } from "../../report/io.ts";
import { identityOf } from "../../report/run_identity.ts";
import { nowNs } from "../../stats/clock.ts";
import type { ServerSpread } from "../../stats/outage.ts";
import type { ProbePlan } from "../probe/plan.ts";
import { probeView } from "../probe/probe_view.ts";
import { lostOf, type ProbeHistograms, type ProbeSnapshot } from "../probe/snapshot.ts";
import { SoloProbe } from "../probe/solo_probe.ts";
import type { Child } from "./child.ts";
import type { Cluster } from "./cluster.ts";
import { Conductor } from "./conductor.ts";
import type { Haproxy } from "./haproxy.ts";
import type { HaSettings } from "./options.ts";
import type { Scenario } from "./scenario.ts";
import type { AxisSecond, HaSnapshot, ProgramEnd } from "./snapshot.ts";
import { StepLog } from "./step_log.ts";

/** The probe's run with the steps in it. */
export class Trial {
  readonly #plan: ProbePlan;
  readonly #commandLine: CommandLine<HaSettings>;
  readonly #scenario: Scenario;
  readonly #cluster: Cluster;
  readonly #balancer: Haproxy | undefined;
  readonly #note: (line: string) => void;
  readonly #axis: AxisSecond[] = [];
  readonly #ends: ProgramEnd[] = [];
  #beginNs = NaN;
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
        began: (atNs) => this.#begin(atNs),
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

  /** A program that should run has ended by itself: what follows is not due to the steps alone. */
  ended({ name, lastLine }: Child): void {
    const sinceMs = (nowNs() - this.#beginNs) / 1e6;
    this.#ends.push({ name, atMs: Number.isNaN(sinceMs) ? 0 : sinceMs, lastLine });
  }

  #begin(atNs: number): void {
    this.#beginNs = atNs;
    this.#last = this.#probe.snapshot();
    this.#conductor.begin(atNs);
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
    const { book, requests: { publications, calls } } = load;
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
      ends: this.#ends,
      probe: { ...probe, nodes: this.#withAllNodes(probe.nodes) },
    };
  }
}
