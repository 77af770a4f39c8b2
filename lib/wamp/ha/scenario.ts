import { readFileSync } from "node:fs";
import { messageOf, UsageError } from "../../errors.ts";
import { positiveDuration } from "../../options/duration.ts";

/** What can be done to a cluster. Nodes count from 1. */
export type Step =
  /** SIGKILL, SIGSTOP, SIGTERM: the node is gone, holds everything, leaves in order. */
  | { readonly atMs: number; readonly action: "kill" | "freeze" | "stop"; readonly nodes: number[] }
  /** Started again, or SIGCONT where it is frozen. */
  | { readonly atMs: number; readonly action: "return"; readonly nodes: number[] }
  /** The links between two nodes carry nothing; they do again. */
  | {
    readonly atMs: number;
    readonly action: "cut-link" | "restore-link";
    readonly nodes: number[];
  }
  /** Sessions above an even share are closed, so that they spread again. */
  | { readonly atMs: number; readonly action: "rebalance"; readonly nodes: number[] };

export type StepAction = Step["action"];

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
  /** How long the measured phase is. */
  readonly durationMs: number;
}

export const scenarioNames = [
  "kill-node",
  "freeze-node",
  "kill-half",
  "return-node",
  "rolling-restart",
  "cut-link",
] as const;

type ScenarioName = typeof scenarioNames[number];

/** Before the first step: what is usual. */
const firstMs = 4_000;
/** Behind a step, until everything has settled. */
const settleMs = 6_000;
/** How long a node that restarts stays away. */
const awayMs = 1_000;
/** The node that something happens to, where it is one. */
const victim = 2;

const actions: readonly StepAction[] = [
  "kill",
  "freeze",
  "stop",
  "return",
  "cut-link",
  "restore-link",
  "rebalance",
];

/**
 * One of the scenarios that have a name, or a file of timed steps: a line each, as in `5s kill node2`.
 *
 * @param rebalances whether a `rebalance` follows where nodes have returned.
 * @throws {UsageError} neither a name nor a file, or a step that cannot be.
 */
export function scenarioOf(nameOrFile: string, nodes: number, rebalances: boolean): Scenario {
  const name = scenarioNames.find((each) => each === nameOrFile);
  const scenario = name === undefined
    ? readScenario(nameOrFile, nodes)
    : { name, ...usual(name, nodes) };
  return rebalances ? withRebalance(scenario) : scenario;
}

function usual(name: ScenarioName, nodes: number): { steps: Step[]; durationMs: number } {
  const kill: Step = { atMs: firstMs, action: "kill", nodes: [victim] };
  const returnsMs = firstMs + settleMs;
  switch (name) {
    case "kill-node":
      return { steps: [kill], durationMs: firstMs + settleMs };
    case "freeze-node":
      return {
        steps: [{ ...kill, action: "freeze" }, {
          atMs: returnsMs,
          action: "return",
          nodes: [victim],
        }],
        durationMs: returnsMs + settleMs,
      };
    case "kill-half": {
      const half = Array.from({ length: Math.floor(nodes / 2) }, (_, index) => index + victim);
      return { steps: [{ ...kill, nodes: half }], durationMs: firstMs + settleMs };
    }
    case "return-node":
      return {
        steps: [kill, { atMs: returnsMs, action: "return", nodes: [victim] }],
        durationMs: returnsMs + settleMs,
      };
    case "rolling-restart":
      return {
        steps: Array.from({ length: nodes }, (_, index): Step[] => {
          const atMs = firstMs + index * settleMs;
          const one = [index + 1];
          return [{ atMs, action: "stop", nodes: one }, {
            atMs: atMs + awayMs,
            action: "return",
            nodes: one,
          }];
        }).flat(),
        durationMs: firstMs + nodes * settleMs,
      };
    case "cut-link":
      return {
        steps: [{ ...kill, action: "cut-link", nodes: [1, victim] }, {
          atMs: returnsMs,
          action: "restore-link",
          nodes: [1, victim],
        }],
        durationMs: returnsMs + settleMs,
      };
  }
}

/** How long a node has been back before sessions move to it. */
const rebalanceAfterMs = 3_000;

/** Puts a `rebalance` behind the last return. */
function withRebalance(scenario: Scenario): Scenario {
  const { steps, durationMs } = scenario;
  const last = steps.findLast(({ action }) => action === "return");
  if (last === undefined || steps.some(({ action }) => action === "rebalance")) return scenario;
  const atMs = last.atMs + rebalanceAfterMs;
  const rebalance: Step = { atMs, action: "rebalance", nodes: [] };
  return {
    ...scenario,
    steps: [...steps, rebalance].sort((a, b) => a.atMs - b.atMs),
    durationMs: Math.max(durationMs, atMs + settleMs),
  };
}

function readScenario(path: string, nodes: number): Scenario {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(
      `--scenario ${path} is neither ${scenarioNames.join(", ")} nor a file that can be read ` +
        `(${messageOf(cause)})`,
      { cause },
    );
  }
  return parseScenario(path, text, nodes);
}

/**
 * Reads timed steps: `<time> <action> [nodes]`, in the order of time; `<time> end` is the end of the
 * measured phase. Times are from its beginning.
 *
 * @throws {UsageError} a line is wrong.
 */
export function parseScenario(name: string, text: string, nodes: number): Scenario {
  const steps: Step[] = [];
  let endMs: number | undefined;
  let lastMs = 0;
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.replace(/#.*/, "").trim();
    if (line === "") continue;
    const fail = (why: string): never => {
      throw new UsageError(
        `${name}, line ${index + 1} (${JSON.stringify(line)}): ${why}; write for instance ` +
          `5s kill node2`,
      );
    };
    const [time = "", action = "", ...who] = line.split(/\s+/);
    let atMs = 0;
    try {
      atMs = time === "0" ? 0 : positiveDuration.parse(time);
    } catch (error) {
      fail(messageOf(error));
    }
    if (atMs < lastMs || endMs !== undefined) fail("it lies before the line above");
    lastMs = atMs;
    if (action === "end") {
      endMs = atMs;
      continue;
    }
    const known = actions.find((each) => each === action) ??
      fail(`${JSON.stringify(action)} is none of ${actions.join(", ")}, end`);
    steps.push({ atMs, action: known, nodes: nodesIn(known, who, nodes, fail) } as Step);
  }
  if (steps.length === 0) throw new UsageError(`${name} has no steps; write 5s kill node2`);
  checkOrder(name, steps);
  return { name, steps, durationMs: endMs ?? lastMs + settleMs };
}

function nodesIn(
  action: StepAction,
  who: readonly string[],
  nodes: number,
  fail: (why: string) => never,
): number[] {
  const found = who.map((text) => {
    const number = Number(/^node(\d+)$/.exec(text)?.[1] ?? NaN);
    return number >= 1 && number <= nodes
      ? number
      : fail(`${JSON.stringify(text)} is none of node1 to node${nodes}`);
  });
  const wanted = action === "rebalance" ? 0 : action.endsWith("-link") ? 2 : 1;
  const isRight = wanted === 1 ? found.length >= 1 : found.length === wanted;
  if (!isRight) fail(`${action} takes ${["no node", "a node or more", "two nodes"][wanted]}`);
  if (new Set(found).size < found.length) fail("it names a node twice");
  return found;
}

/** A node that is down cannot be killed, and one that is up cannot return. */
function checkOrder(name: string, steps: readonly Step[]): void {
  const down = new Set<number>();
  for (const { action, nodes, atMs } of steps) {
    if (action === "rebalance" || action.endsWith("-link")) continue;
    for (const node of nodes) {
      const isReturn = action === "return";
      if (down.has(node) !== isReturn) {
        const state = isReturn ? "is not down" : "is down already";
        throw new UsageError(`${name}: node${node} ${state} at ${atMs / 1000}s (${action})`);
      }
      if (isReturn) down.delete(node);
      else down.add(node);
    }
  }
}
