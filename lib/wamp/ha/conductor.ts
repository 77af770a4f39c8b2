import { nowNs } from "../../stats/clock.ts";
import type { SessionKeeper } from "../session/session_keeper.ts";
import type { Cluster } from "./cluster.ts";
import type { Haproxy } from "./haproxy.ts";
import { rebalance } from "./rebalance.ts";
import type { Scenario, Step } from "./scenario.ts";
import type { StepLog } from "./step_log.ts";

/** How often the balancer is asked what it thinks of the nodes. */
const askMs = 50;

/** Does the steps of a scenario when they are due. */
export class Conductor {
  readonly #scenario: Scenario;
  readonly #cluster: Cluster;
  readonly #balancer: Haproxy | undefined;
  readonly #keeper: SessionKeeper;
  readonly #log: StepLog;
  readonly #note: (line: string) => void;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  readonly #stop = new AbortController();
  #isAsking = false;
  /** Steps since the axis was last drawn on. */
  readonly #made: string[] = [];
  /** What the balancer said last. */
  #states: ReadonlyMap<string, string> = new Map();

  constructor(
    scenario: Scenario,
    cluster: Cluster,
    balancer: Haproxy | undefined,
    keeper: SessionKeeper,
    log: StepLog,
    note: (line: string) => void,
  ) {
    this.#scenario = scenario;
    this.#cluster = cluster;
    this.#balancer = balancer;
    this.#keeper = keeper;
    this.#log = log;
    this.#note = note;
  }

  /** The measured phase begins. */
  begin(atNs: number): void {
    this.#log.begin(atNs);
    const sinceMs = (nowNs() - atNs) / 1e6;
    for (const step of this.#scenario.steps) {
      this.#timers.push(setTimeout(() => this.#make(step), step.atMs - sinceMs));
    }
    if (this.#balancer === undefined) return;
    const asking = setInterval(() => void this.#ask(this.#balancer!), askMs);
    this.#stop.signal.addEventListener("abort", () => clearInterval(asking));
  }

  /** The steps made since the last call. */
  takeSteps(): string[] {
    return this.#made.splice(0);
  }

  stop(): void {
    this.#stop.abort();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #make(step: Step): void {
    const text = textOf(step);
    this.#log.step(text, nowNs());
    this.#made.push(text);
    this.#note(`${(step.atMs / 1000).toFixed(1)} s: ${text}`);
    const [first = 0, second = 0] = step.nodes;
    switch (step.action) {
      case "cut-link":
      case "restore-link":
        return this.#cluster.cutLink(first, second, step.action === "cut-link");
      case "rebalance": {
        const names = this.#cluster.nodes.filter(({ state }) => state === "up")
          .map(({ name }) => name);
        return void rebalance(this.#keeper, names, this.#stop.signal);
      }
    }
    for (const node of step.nodes) {
      if (step.action === "kill") this.#cluster.kill(node);
      else if (step.action === "freeze") this.#cluster.freeze(node);
      else if (step.action === "stop") this.#cluster.stopInOrder(node);
      else this.#cluster.launch(node);
    }
  }

  async #ask(balancer: Haproxy): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const states = await balancer.states();
    this.#isAsking = false;
    const before = this.#states;
    const isDown = (state: string | undefined) => state === "DOWN";
    for (const [name, state] of states) {
      if (isDown(state) && !isDown(before.get(name))) this.#log.markedDown(nowNs());
    }
    if (states.size > 0) this.#states = states;
  }
}

/** A step as a line of a file has it, without its time. */
export function textOf({ action, nodes }: Step): string {
  return [action, ...nodes.map((node) => `node${node}`)].join(" ");
}
