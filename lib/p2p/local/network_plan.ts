import { UsageError } from "../../errors.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { formatDuration } from "../../options/duration.ts";
import { explorePlan, type ExploreSettings } from "../explore_plan.ts";
import { requireForwarding } from "../forwarding.ts";
import { largestMessageBytes, requireMessageSize } from "../message_sizes.ts";
import type { Mode } from "../mode.ts";
import type { Forwarding, NetworkProtocol } from "../network/network.ts";
import { freePorts } from "./free_ports.ts";
import type { LocalSettings } from "./options.ts";

/** All nodes are on this host. */
export const loopback = "127.0.0.1";
const usualDurationMs = 30_000;
const lastPort = 65_535;

/** Which nodes are killed, and when, in milliseconds since the first broadcast was due. */
export interface KillPlan {
  readonly nodes: readonly number[];
  readonly atMs: number;
  /** Undefined: they stay down. */
  readonly restartAfterMs: number | undefined;
}

/** What a network of this host is to do, for each of the protocols. */
export interface NetworkPlan {
  readonly protocols: readonly NetworkProtocol[];
  readonly numNodes: number;
  readonly mode: Mode;
  readonly broadcaster: number | undefined;
  readonly messageBytes: number;
  readonly heartbeatMs: number;
  readonly roundSeconds: number;
  readonly explore: ExploreSettings;
  /** Combinations of `explore`, for every protocol; 0 in other modes. */
  readonly combinations: number;
  /** `explore` ends after the first combination that is not sustained. */
  readonly stopsAtLimit: boolean;
  readonly forwarding: Forwarding;
  readonly bufferSize: number;
  readonly firstPort: number | undefined;
  /** Where each node serves its metrics; undefined: it does not. */
  readonly metricPorts: readonly number[] | undefined;
  /** So much of the duration, from its begin, is warm-up. */
  readonly warmupMs: number;
  /** Warm-up included. Infinity: until `explore` has tried all. */
  readonly durationMs: number;
  readonly drainMs: number;
  readonly connectTimeoutMs: number;
  readonly staggerMs: number;
  readonly kill: KillPlan | undefined;
}

/**
 * @throws {UsageError} the settings contradict each other, or ask for what a protocol cannot carry.
 * @throws {HostLimitError} there are not enough free ports.
 */
export function planOf(
  { settings, given }: Pick<CommandLine<LocalSettings>, "settings" | "given">,
): NetworkPlan {
  if (settings.compared !== undefined && given.has("protocol")) {
    throw new UsageError("--compare and --network-protocol contradict each other; drop one");
  }
  const protocols = settings.compared ?? [settings.protocol];
  const { mode, numNodes } = settings;
  const needsBroadcaster = mode === "one" || mode === "explore";
  const broadcaster = needsBroadcaster ? settings.broadcaster ?? 0 : undefined;
  requireNodes("--broadcaster", broadcaster === undefined ? [] : [broadcaster], numNodes);
  requireNodes("--kill", settings.killedNodes ?? [], numNodes);
  requirePorts("--p2p-port", settings.firstPort, numNodes);
  requirePorts("--metric-port", settings.firstMetricPort, numNodes);
  const explore: ExploreSettings = {
    runSeconds: settings.runSeconds,
    coolDownSeconds: settings.coolDownSeconds,
    minThroughputBytesPerSecond: settings.minThroughput,
    minMessageBytes: settings.minMessageBytes,
    // What is sustained shows on all nodes together only.
    stopsAtLimit: false,
  };
  if (mode !== "explore") {
    for (const protocol of protocols) requireMessageSize(settings.messageBytes, protocol);
  }
  const combinations = mode === "explore"
    ? explorePlan(explore, Math.min(...protocols.map(largestMessageBytes))).length
    : 0;
  const durationMs = settings.warmupMs + durationOf(settings);
  const kill = killPlan(settings);
  if (kill !== undefined && kill.atMs >= durationMs) {
    throw new UsageError(
      `--at ${formatDuration(kill.atMs)} is not before the end of the run, ` +
        `${formatDuration(durationMs)} after its begin; nothing would be killed`,
    );
  }
  if (given.has("forwarding")) requireForwarding(protocols);
  const { messageBytes, heartbeatMs, roundSeconds, forwarding, bufferSize, firstPort } = settings;
  const { warmupMs, drainMs, connectTimeoutMs, staggerMs } = settings;
  return {
    ...{ protocols, numNodes, mode, broadcaster, messageBytes, heartbeatMs, roundSeconds },
    ...{ explore, combinations, forwarding, bufferSize, firstPort },
    metricPorts: metricPorts(settings),
    stopsAtLimit: settings.stopsAtLimit,
    ...{ warmupMs, durationMs, drainMs, connectTimeoutMs, staggerMs, kill },
  };
}

/** How many nodes are to have each message. */
export function receiversEach(protocol: NetworkProtocol, numNodes: number): number {
  return protocol === "sqmr" ? 1 : numNodes - 1;
}

function durationOf({ durationMs, timeoutSeconds, mode }: LocalSettings): number {
  if (durationMs !== undefined) return durationMs;
  if (timeoutSeconds !== undefined) return timeoutSeconds * 1000;
  return mode === "explore" ? Infinity : usualDurationMs;
}

function killPlan(settings: LocalSettings): KillPlan | undefined {
  const { killedNodes, killAtMs, restartAfterMs } = settings;
  if (killedNodes === undefined || killAtMs === undefined) return undefined;
  return { nodes: killedNodes, atMs: killAtMs, restartAfterMs };
}

function metricPorts(settings: LocalSettings): readonly number[] | undefined {
  const { firstMetricPort, numNodes, prometheusFile } = settings;
  if (firstMetricPort !== undefined) {
    return Array.from({ length: numNodes }, (_, id) => firstMetricPort + id);
  }
  return prometheusFile === undefined ? undefined : freePorts(numNodes, loopback);
}

function requireNodes(option: string, ids: readonly number[], numNodes: number): void {
  const unknown = ids.find((id) => id >= numNodes);
  if (unknown === undefined) return;
  throw new UsageError(
    `${option} ${unknown}: there is no such node; ${numNodes} nodes have the ids 0 to ` +
      `${numNodes - 1}`,
  );
}

function requirePorts(option: string, first: number | undefined, numNodes: number): void {
  if (first === undefined || first + numNodes - 1 <= lastPort) return;
  throw new UsageError(
    `${option} ${first} leaves no ports for ${numNodes} nodes; the last one there is is ${lastPort}`,
  );
}
