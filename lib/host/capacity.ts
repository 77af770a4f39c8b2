import {
  connectionCosts,
  type ConnectionKind,
  laterThreads,
  processBytes,
  quicSocketBytes,
  serverFds,
} from "./connection_costs.ts";
import type { HostReadings } from "./host_readings.ts";
import { reservedFds } from "./limits.ts";

/** Which connections are asked about. */
export interface CapacityQuestion {
  readonly role: "client" | "server";
  readonly kind: ConnectionKind;
  /** Processes that share the connections. */
  readonly workers: number;
  /** Of a client: QUIC connections on one UDP socket. */
  readonly connectionsPerSocket: number;
  /** Of a client: the target is on this host, and takes its share of what both need. */
  readonly isTargetLocal: boolean;
}

/** The limits that bound the number of connections; the rest bound how fast they come or go. */
export const boundNames = [
  "nofile",
  "file-max",
  "epoll watches",
  "source ports",
  "conntrack",
  "memory",
  "cgroup memory",
  "processes",
  "cgroup pids",
] as const;

export type BoundName = typeof boundNames[number];

/** How many connections one limit allows. */
export interface Bound {
  readonly name: BoundName;
  /** A whole number; Infinity: it is no limit here, or not known. */
  readonly connections: number;
}

/** How many connections this host can hold. */
export interface Capacity {
  /** What the first limit allows; Infinity: no limit is known. */
  readonly connections: number;
  /** The limit that comes first; undefined: none is known. */
  readonly first: Bound | undefined;
  /** All of them, in the order of {@link boundNames}. */
  readonly bounds: readonly Bound[];
}

/** Predicts from what was read, without touching anything. */
export function predictCapacity(readings: HostReadings, question: CapacityQuestion): Capacity {
  const bounds = boundNames.map((name): Bound => ({
    name,
    connections: floorOf(formulas[name](readings, question)),
  }));
  const first = bounds.reduce((least, bound) =>
    bound.connections < least.connections ? bound : least
  );
  return {
    connections: first.connections,
    first: first.connections === Infinity ? undefined : first,
    bounds,
  };
}

function floorOf(connections: number): number {
  return Number.isNaN(connections) ? Infinity : Math.max(0, Math.floor(connections));
}

/** How many connections a process can hold by its descriptors. */
export function connectionsPerProcess(readings: HostReadings, question: CapacityQuestion): number {
  const { descriptors } = readings;
  if (question.role === "client") {
    return Math.max(0, descriptors.reachable - reservedFds) * perDescriptor(question);
  }
  // The runtime raises the soft limit as far as the hard one; transports keep a reserve.
  const { hard } = descriptors;
  const reserve = Math.min(reservedFds, Math.floor(hard / 4));
  return Math.max(0, hard - reserve - serverFds) * perDescriptor(question);
}

/** Connections that share a descriptor; Infinity: they take none. */
export function perDescriptor({ role, kind, connectionsPerSocket }: CapacityQuestion): number {
  if (role === "client") return kind === "quic" ? connectionsPerSocket : 1;
  return kind === "udp" || kind === "quic" ? Infinity : 1;
}

/** Descriptors that a connection takes of this host, both ends where both are here. */
function descriptorsEach(question: CapacityQuestion): number {
  const own = 1 / perDescriptor(question);
  const isBoth = question.role === "client" && question.isTargetLocal;
  return isBoth ? own + 1 / perDescriptor({ ...question, role: "server" }) : own;
}

/** What a connection takes of this host, both ends where both are here; bytes. */
export function bytesPerConnection(question: CapacityQuestion): number {
  const cost = connectionCosts[question.kind];
  const sockets = question.kind === "quic" ? quicSocketBytes / question.connectionsPerSocket : 0;
  const ofClient = cost.client + cost.kernelClient + sockets;
  const ofServer = cost.server + cost.kernelServer;
  if (question.role === "server") return ofServer;
  return question.isTargetLocal ? ofClient + ofServer : ofClient;
}

type Formula = (readings: HostReadings, question: CapacityQuestion) => number;

const formulas: Readonly<Record<BoundName, Formula>> = {
  nofile: (readings, question) => connectionsPerProcess(readings, question) * question.workers,

  "file-max"({ descriptors: { fileMax, filesOpen, isExemptFromFileMax } }, question) {
    if (fileMax === undefined || filesOpen === undefined || isExemptFromFileMax) return Infinity;
    return (fileMax - filesOpen - reservedFds * question.workers) / descriptorsEach(question);
  },

  "epoll watches": ({ descriptors: { maxUserWatches } }, question) =>
    (maxUserWatches ?? Infinity) / descriptorsEach(question),

  "source ports"({ sources }, question) {
    if (question.role === "server" || sources === undefined) return Infinity;
    return sources.free * perDescriptor(question);
  },

  // One entry for each pair of addresses and ports, whichever ends are here.
  conntrack({ conntrack }, question) {
    if (conntrack === undefined || conntrack.isTracking === false) return Infinity;
    const entry = question.role === "client" ? perDescriptor(question) : 1;
    return Math.max(0, conntrack.max - conntrack.count) * entry;
  },

  memory: (readings, question) =>
    readings.platform === "linux"
      ? withinBytes(readings.hostMemoryBytes, readings, question)
      : Infinity,

  "cgroup memory": (readings, question) =>
    withinBytes(readings.controlGroup.memory?.free ?? Infinity, readings, question),

  processes(readings, question) {
    const { userLimit, isExempt, threads, threadsMax } = readings.processes;
    const limit = Math.min(isExempt ? Infinity : userLimit ?? Infinity, threadsMax ?? Infinity);
    return threads === undefined ? Infinity : withinThreads(limit - threads, readings, question);
  },

  "cgroup pids": (readings, question) =>
    withinThreads(readings.controlGroup.pids?.free ?? Infinity, readings, question),
};

function withinBytes(bytes: number, readings: HostReadings, question: CapacityQuestion): number {
  const both = question.role === "client" && question.isTargetLocal ? 2 : 1;
  // The process that asks is one of those that are counted, or ends before they start.
  const own = Math.min(processBytes, readings.processes.ownAnonymousBytes ?? 0);
  return (bytes + own - processBytes * question.workers * both) / bytesPerConnection(question);
}

/** Threads bound the number of processes, and those the connections. */
function withinThreads(
  threads: number,
  readings: HostReadings,
  question: CapacityQuestion,
): number {
  const { ownThreads } = readings.processes;
  if (ownThreads === undefined || threads === Infinity) return Infinity;
  const processes = Math.floor(threads / (ownThreads + laterThreads));
  return processes >= question.workers
    ? Infinity
    : processes * connectionsPerProcess(readings, question);
}
