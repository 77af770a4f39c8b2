import { HostLimitError, UsageError } from "../errors.ts";
import { bytesPerConnection, perDescriptor } from "../host/capacity.ts";
import { availableMemoryBytes, reservedFds } from "../host/limits.ts";
import { fdLimits } from "../host/libc.ts";
import type { CommandLine } from "../options/command_line.ts";
import { formatDuration } from "../options/duration.ts";
import { breakConditions } from "../stats/break_condition.ts";
import { formatBytes, formatCount } from "../stats/figures.ts";
import type { RampLimit } from "../stats/ramp.ts";
import type { Endpoint, Scheme } from "../transport/endpoint.ts";
import type { ClientSettings } from "./options.ts";

/** How often a connection of a ramp sends where `--interval` does not say. */
export const defaultIntervalMs = 1000;

/** The rest of the memory is for everything else. */
const usableMemory = 0.8;
/** Ids are kept in 32-bit arrays; nobody has asked for more than a part of this yet. */
const mostIds = 16_000_000;

/** Whether the run opens connections until something breaks; also once `fillInRamp` was there. */
export function isRamp(
  { connections, step, breakConditions }: Pick<
    ClientSettings,
    "connections" | "step" | "breakConditions"
  >,
): boolean {
  return connections === Infinity || step !== undefined || breakConditions.length > 0;
}

/** What keeps this host from holding more connections. */
export interface MostConnections {
  readonly connections: number;
  readonly limit: "file descriptors" | "memory";
}

/** How many connections so many processes may and can hold, ports and the target aside. */
export function mostConnections(
  scheme: Scheme,
  connectionsPerSocket: number,
  workers = 1,
): MostConnections {
  const question = {
    role: "client",
    kind: scheme,
    workers,
    connectionsPerSocket,
    // Where it is elsewhere, that only leaves some memory over.
    isTargetLocal: true,
  } as const;
  const fds = (Math.min(fdLimits().soft, mostIds) - reservedFds) * workers;
  const byFds = fds * perDescriptor(question);
  const byMemory = Math.floor(availableMemoryBytes() * usableMemory / bytesPerConnection(question));
  const connections = Math.max(0, Math.min(byFds, byMemory, mostIds));
  return { connections, limit: byFds <= byMemory ? "file descriptors" : "memory" };
}

export interface RampCommandLine {
  readonly commandLine: CommandLine<ClientSettings>;
  /** Where `max` was asked for: what it came to. */
  readonly most: MostConnections | undefined;
  /** What the user should know before the run. */
  readonly notes: readonly string[];
}

/**
 * Fills in what a ramp leaves open: `max` becomes a number, and without `--interval` each connection
 * sends once a second. Other runs stay as they are.
 *
 * @throws {UsageError} options that contradict a ramp.
 * @throws {HostLimitError} this host can hold no connection at all.
 */
export function fillInRamp(
  commandLine: CommandLine<ClientSettings>,
  { scheme }: Endpoint,
): RampCommandLine {
  const { settings, given } = commandLine;
  if (!isRamp(settings)) return { commandLine, most: undefined, notes: [] };
  if (settings.warmupMs > 0) {
    throw new UsageError(
      "--warmup has no meaning in a ramp (-c max, --step or --break-when), which measures from " +
        "its first connection on; drop one",
    );
  }
  if (!settings.barrier) {
    throw new UsageError(
      "--no-barrier has no meaning in a ramp (-c max, --step or --break-when), which measures from " +
        "its first connection on anyway; drop it",
    );
  }
  const workers = typeof settings.workers === "number" ? settings.workers : 1;
  const isUnbounded = settings.connections === Infinity || !given.has("connections");
  const most = isUnbounded
    ? mostConnections(scheme, settings.connectionsPerSocket, workers)
    : undefined;
  if (most !== undefined && most.connections === 0) {
    throw new HostLimitError(
      `no connection fits into what this host has left of ${most.limit}; raise ulimit -n, or free ` +
        `memory`,
    );
  }
  const connections = most?.connections ?? settings.connections;
  const intervalMs = settings.intervalMs ?? defaultIntervalMs;
  const notes = [
    ...(most === undefined ? [] : [
      `opening up to ${
        formatCount(connections)
      } connections, as many as fit this host's ${most.limit}`,
    ]),
    ...(settings.intervalMs === undefined
      ? ["each connection sends a message every second; --interval says otherwise"]
      : []),
  ];
  const bounds = breakConditions(settings.breakConditions).map(({ text }) => text);
  const rendered = {
    ...commandLine.rendered,
    "break-when": bounds.join("; "),
    connections: most === undefined ? String(connections) : `max (${connections})`,
    interval: formatDuration(intervalMs),
  };
  return {
    commandLine: {
      ...commandLine,
      settings: { ...settings, connections, intervalMs, breakConditions: bounds },
      rendered,
    },
    most,
    notes,
  };
}

/** What ended a ramp that opened all that this host can hold, and at which nothing broke. */
export function ownLimit({ connections, limit }: MostConnections): RampLimit {
  const isFds = limit === "file descriptors";
  const mend = isFds
    ? `a process may open ${formatCount(fdLimits().soft)} file descriptors; raise ulimit -n, ` +
      `take more --workers`
    : `${formatBytes(availableMemoryBytes())} of memory are available`;
  return {
    side: "client",
    name: limit,
    statement: `This host can hold no more: all ${formatCount(connections)} connections that ` +
      `fit its ${limit} were opened, and nothing broke; ${mend}, or use further hosts.`,
    evidence: [
      isFds
        ? `RLIMIT_NOFILE: ${
          formatCount(fdLimits().soft)
        }, of which ${reservedFds} are kept in reserve`
        : `memory: ${formatBytes(availableMemoryBytes())} available`,
    ],
  };
}
