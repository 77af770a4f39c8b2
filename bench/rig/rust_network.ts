import { basename } from "node:path";
import { rustNodeProgram } from "../../tests/interop/rust_libp2p/program.ts";
import type { RustSummary } from "../../tests/interop/rust_libp2p/rust_node.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { type P2pCase, type P2pResult, receiversOf } from "./p2p_case.ts";
import { cpuUse, readCpu } from "./process_figures.ts";

/** How long a network may take to become one. */
const startTimeoutMs = 60_000;
/** rust-libp2p builds the mesh of gossipsub 5 s after its start, and only then forwards messages. */
const meshMs = 6_000;
/** Until no message is under way any more. */
const drainMs = 3_000;

interface Line {
  readonly event: string;
  readonly address?: string;
  readonly count?: number;
}

/** A node by rust-libp2p in a process of its own. */
class RustNode {
  readonly child: Child;
  address = "";
  /** Peers that it would reach. */
  peers = 0;
  isDone = false;
  summary: RustSummary | undefined;

  constructor(args: readonly string[], timeoutMs: number, reached: string) {
    this.child = new Child([rustNodeProgram, ...args], {
      timeoutMs,
      hasInput: true,
      onLine: (line) => {
        // What it writes to stderr comes here too.
        if (!line.startsWith("{")) return;
        const event = JSON.parse(line) as Line;
        if (event.event === "listening") this.address = event.address!;
        if (event.event === reached) this.peers = event.count!;
        if (event.event === "done") this.isDone = true;
        if (event.event === "summary") this.summary = event as unknown as RustSummary;
      },
    });
  }
}

/**
 * Lets nodes by rust-libp2p do what a case asks for, with the plan and the time stamps of ours.
 *
 * @throws {Error} they did not find each other, or ended early.
 */
export async function measureRust(
  benchmark: Benchmark,
  plan: P2pCase,
  seconds: number,
): Promise<P2pResult> {
  const { protocol, nodes: count, messageBytes, messagesPerSecond } = plan;
  const reached = { gossipsub: "subscribed", sqmr: "connected", "reversed-sqmr": "queried" };
  const timeoutMs = startTimeoutMs + 10_000 * seconds;
  const nodes: RustNode[] = [];
  try {
    for (let id = 0; id < count; id++) {
      const broadcasts = id === 0 || plan.oneBroadcasts !== true;
      const args = [
        ...["--id", `${id}`, "--network-protocol", protocol],
        ...["--message-size-bytes", `${messageBytes}`],
        ...["--rate", `${broadcasts ? messagesPerSecond : 0}`, "--duration-seconds", `${seconds}`],
        "--print-delays",
      ];
      // The others differ in their id, and in who broadcasts.
      if (id === 0) benchmark.report.command([basename(rustNodeProgram), ...args]);
      const bootstrap = ["--bootstrap", nodes.map(({ address }) => address).join(",")];
      const node = new RustNode([...args, ...bootstrap], timeoutMs, reached[protocol]);
      nodes.push(node);
      await until(nodes, () => node.address !== "", "listen");
    }
    await until(nodes, () => nodes.every(({ peers }) => peers === count - 1), "find each other");
    if (protocol === "gossipsub") await Bun.sleep(meshMs);
    const pids = nodes.map(({ child }) => child.pid);
    const broadcasters = nodes.slice(0, plan.oneBroadcasts === true ? 1 : count);
    const before = readCpu(pids);
    for (const { child } of broadcasters) child.write("go\n");
    const planMs = performance.now() + seconds * 1000;
    await until(nodes, () => performance.now() >= planMs, "run");
    const cores = cpuUse(before, readCpu(pids)).processes.reduce((sum, each) => sum + each, 0);
    await until(nodes, () => broadcasters.every(({ isDone }) => isDone), "send everything");
    await Bun.sleep(drainMs);
    for (const { child } of nodes) child.endInput();
    await Promise.all(nodes.map(({ child }) => child.ended));
    return together(plan, seconds, nodes.map(({ summary }) => summary), cores);
  } finally {
    for (const { child } of nodes) child.kill();
  }
}

async function until(nodes: readonly RustNode[], holds: () => boolean, what: string) {
  const deadlineMs = performance.now() + startTimeoutMs;
  let hasEnded = false;
  for (const { child } of nodes) void child.ended.then(() => hasEnded = true);
  while (!holds()) {
    if (hasEnded || performance.now() > deadlineMs) {
      const words = nodes.map(({ child }) => child.lastWords).join("\n");
      throw new Error(`the nodes by rust-libp2p did not ${what}:\n${words}`);
    }
    await Bun.sleep(10);
  }
}

function together(
  plan: P2pCase,
  seconds: number,
  summaries: readonly (RustSummary | undefined)[],
  cores: number,
): P2pResult {
  const delivery = new Histogram();
  let [due, latenessP99Ns] = [0, 0];
  let [sent, dropped, delivered, duplicated] = [0, 0, 0, 0];
  const remarks = new Set<string>();
  for (const summary of summaries) {
    if (summary === undefined) throw new Error("a node by rust-libp2p left no summary");
    due += summary.due;
    sent += summary.sent;
    for (const [reason, times] of Object.entries(summary.dropped)) {
      dropped += times;
      remarks.add(`dropped: ${reason}`);
    }
    for (const error of Object.keys(summary.errors)) remarks.add(error);
    for (const { unique, duplicates } of Object.values(summary.senders)) {
      delivered += unique;
      duplicated += duplicates;
    }
    for (const delayNs of summary.delaysNs ?? []) delivery.record(Math.max(0, delayNs));
    latenessP99Ns = Math.max(latenessP99Ns, summary.lateness.p99Ns);
  }
  const expected = sent * receiversOf(plan);
  return {
    ...{ due, sent, dropped, expected, delivered, duplicated, seconds },
    ...{ delivery, latenessP99Ns, cores },
    remarks: [...remarks],
  };
}
