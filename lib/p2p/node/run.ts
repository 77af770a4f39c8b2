import { type ExitCode, exitCodes, messageOf, UsageError } from "../../errors.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { formatDuration } from "../../options/duration.ts";
import { serveStats } from "../../report/http.ts";
import type { Io } from "../../report/io.ts";
import { openOutput, type Output } from "../../report/output.ts";
import { identityOf } from "../../report/run_identity.ts";
import { parseExpectationOf } from "../../stats/expectations.ts";
import { exitCodeOf } from "../../stats/verdict.ts";
import { requireForwarding } from "../forwarding.ts";
import { requireMessageSize } from "../message_sizes.ts";
import { nodeSnapshotToJson } from "../metrics/node_json.ts";
import { nodeView } from "../metrics/node_view.ts";
import { SystemMonitor } from "../metrics/system_monitor.ts";
import { hasBroadcaster } from "../mode.ts";
import type { NodeSnapshot } from "../snapshot.ts";
import { BroadcastNode } from "./broadcast_node.ts";
import { nodeMetrics } from "./node_figures.ts";
import { NodeLine } from "./node_line.ts";
import { NodeLog } from "./node_log.ts";
import type { NodeObserver } from "./node_observer.ts";
import type { BroadcastNodeSettings } from "./node_settings.ts";
import { nodeSummary } from "./node_summary.ts";
import { judgeNode } from "./node_verdict.ts";
import { NodeWatch } from "./node_watch.ts";
import type { NodeSettings } from "./options.ts";

const lineEveryMs = 1_000;
/** When nothing has come for so long, the others have nothing left to say. */
const silenceNs = 500e6;
/** Connections last so long after the last message at least. */
const farewellMs = 1_000;
const pollMs = 20;
/** Every interface: the peers are on other hosts, and so is what reads the metrics. */
const anyHost = "0.0.0.0";

/**
 * `holdfast p2p node`: broadcasts and receives until the timeout, the end of what `explore` tries, or
 * an interrupt, and reports.
 *
 * @returns the exit code of the verdict; 4 where no peer was ever reached.
 * @throws {HoldfastError} the node could not begin, or its network could not be built anew.
 */
export async function run(
  commandLine: CommandLine<NodeSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const log = new NodeLog(settings.verbosity, (line) => io.note(line));
  const nodeSettings = settingsOf(commandLine, (line) => log.tell("warn", line));
  const expectations = settings.expectations.map((text) => parseExpectationOf(nodeMetrics, text));
  const json = settings.jsonFile === undefined ? undefined : openOutput(settings.jsonFile, io);
  try {
    const node = await BroadcastNode.start(nodeSettings, observerFor(log));
    let failure: unknown;
    try {
      for (const address of node.addresses) log.tell("info", `listening on ${address}`);
      failure = await attend(commandLine, io, signal, node, log);
      if (failure !== undefined) log.tell("error", messageOf(failure));
      await node.finish();
      const isInterrupted = signal.aborted;
      await lastMessages(
        node,
        isInterrupted ? Math.min(1_000, settings.drainMs) : settings.drainMs,
      );
    } finally {
      await node.stop();
    }
    const measured: NodeSnapshot = { ...node.snapshot(), interrupted: signal.aborted };
    const verdict = judgeNode(measured, {
      expectations,
      maxLatenessP99Ns: settings.maxLatenessMs * 1e6,
    });
    const snapshot: NodeSnapshot = { ...measured, verdict };
    for (const line of nodeSummary(snapshot, settings.runSeconds)) io.out(line);
    if (json !== undefined) writeJson(json, snapshot);
    if (failure !== undefined) throw failure;
    return exitCode(snapshot, io);
  } finally {
    json?.close();
  }
}

/** @throws {UsageError} something is missing, or contradicts the rest. */
function settingsOf(
  commandLine: CommandLine<NodeSettings>,
  note: (line: string) => void,
): BroadcastNodeSettings {
  const { settings, given } = commandLine;
  const nodeId = required(settings.nodeId, "--id");
  const numNodes = required(settings.numNodes, "--num-nodes");
  const bootstrap = required(settings.bootstrap, "--bootstrap");
  const { broadcaster, mode, messageBytes, protocol } = settings;
  requireMember(nodeId, "--id", numNodes);
  if (hasBroadcaster(mode)) {
    requireMember(
      required(broadcaster, `--broadcaster, with --mode ${mode},`),
      "--broadcaster",
      numNodes,
    );
  }
  if (mode !== "explore") requireMessageSize(messageBytes, protocol);
  if (given.has("forwarding")) requireForwarding([protocol]);
  if (settings.warmupMs >= settings.timeoutSeconds * 1000) {
    throw new UsageError(
      `--warmup ${formatDuration(settings.warmupMs)} is not over before --timeout ` +
        `${settings.timeoutSeconds} (seconds): nothing would be timed; make it shorter`,
    );
  }
  return {
    run: identityOf(commandLine),
    nodeId,
    numNodes,
    protocol,
    listenHost: anyHost,
    listenPort: settings.listenPort,
    bootstrap,
    quic: settings.quic,
    mode,
    broadcaster,
    messageBytes,
    heartbeatMs: settings.heartbeatMs,
    roundSeconds: settings.roundSeconds,
    explore: {
      runSeconds: settings.runSeconds,
      coolDownSeconds: settings.coolDownSeconds,
      minThroughputBytesPerSecond: settings.minThroughput,
      minMessageBytes: settings.minMessageBytes,
      stopsAtLimit: settings.stopsAtLimit,
    },
    forwarding: settings.forwarding,
    bufferSize: settings.bufferSize,
    originSeconds: Math.floor(Date.now() / 1000),
    begin: "connected",
    warmupMs: settings.warmupMs,
    connectTimeoutMs: settings.connectTimeoutMs,
    drainMs: settings.drainMs,
    note,
  };
}

function required<T>(value: T | undefined, name: string): T {
  if (value !== undefined) return value;
  throw new UsageError(
    `${name} is required; for instance: holdfast p2p node --id 0 --num-nodes 3 ` +
      `--bootstrap /ip4/10.0.0.6/tcp/10000,/ip4/10.0.0.7/tcp/10000`,
  );
}

function requireMember(nodeId: number, name: string, numNodes: number): void {
  if (nodeId < numNodes) return;
  throw new UsageError(
    `${name} ${nodeId} is no node of ${numNodes}; their ids are 0 to ${numNodes - 1}`,
  );
}

/** Everything that is sent and received, for those who want to know it all. */
function observerFor(log: NodeLog): NodeObserver {
  if (!log.tells("trace")) return {};
  return {
    sent: (index, _, sizeBytes) => log.tell("trace", `sent ${index}, ${sizeBytes} bytes`),
    received: (sender, index, intendedNs, arrivedNs, sizeBytes) =>
      log.tell(
        "trace",
        `received ${index} of node ${sender}, ${sizeBytes} bytes, after ` +
          `${((arrivedNs - intendedNs) / 1e6).toFixed(3)} ms`,
      ),
    duplicated: (sender, index) => log.tell("trace", `received ${index} of node ${sender} again`),
    reset: (nextTrial) => log.tell("trace", `network dropped before trial ${nextTrial + 1}`),
  };
}

/**
 * Serves statistics and tells of the node, until it is to end.
 *
 * @returns why the node cannot go on, where that is the reason.
 */
async function attend(
  { settings, given }: CommandLine<NodeSettings>,
  io: Io,
  signal: AbortSignal,
  node: BroadcastNode,
  log: NodeLog,
): Promise<unknown> {
  const monitor = new SystemMonitor();
  const line = new NodeLine();
  const watch = new NodeWatch(log);
  let lines: ReturnType<typeof setInterval> | undefined;
  let stats: ReturnType<typeof serveStats> | undefined;
  try {
    stats = serveStats({
      hostname: anyHost,
      port: settings.metricPort,
      isExact: given.has("metricPort"),
      option: "--metric-port",
      view: nodeView(node, monitor),
    });
    if (!settings.quiet) io.note(`statistics on ${stats.url}`);
    lines = setInterval(() => {
      const snapshot = node.snapshot();
      watch.look(snapshot);
      if (settings.quiet) return;
      if (io.isTerminal) io.live(line.next(snapshot));
      else io.note(line.next(snapshot));
    }, lineEveryMs);
    return await ended(node, settings.timeoutSeconds * 1000, signal);
  } finally {
    clearInterval(lines);
    if (!settings.quiet) io.live("");
    monitor.stop();
    await stats?.stop();
  }
}

/** Waits for the timeout, the interrupt, or the end of the plan. */
async function ended(
  node: BroadcastNode,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, timeoutMs);
  signal.addEventListener("abort", () => over.resolve());
  if (signal.aborted) over.resolve();
  try {
    await Promise.race([over.promise, node.planned]);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Keeps the connections for a moment: what this node sent last is still on its way (the end of the
 * network takes it back from the sockets), and so is what others sent, who end at about the same time.
 */
async function lastMessages(node: BroadcastNode, longestMs: number): Promise<void> {
  const startMs = performance.now();
  for (;;) {
    const waitedMs = performance.now() - startMs;
    if (waitedMs >= longestMs) return;
    if (waitedMs >= farewellMs && node.silentForNs() >= silenceNs) return;
    await Bun.sleep(pollMs);
  }
}

function writeJson(output: Output, snapshot: NodeSnapshot): void {
  const json = JSON.stringify(nodeSnapshotToJson(snapshot, { encoded: true }), null, 2);
  output.write(new TextEncoder().encode(`${json}\n`));
}

/** A network without anybody is an error: it gets its line on stderr, as those before a run do. */
function exitCode({ verdict, interrupted }: NodeSnapshot, io: Io): ExitCode {
  if (interrupted || verdict?.kind !== "stopped-by-limit") return exitCodeOf(verdict, interrupted);
  io.note(`holdfast: ${verdict.reasons[0]}`);
  return exitCodes.targetUnreachable;
}
