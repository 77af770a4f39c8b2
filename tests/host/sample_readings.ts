import type { HostReadings } from "../../lib/host/host_readings.ts";
import type { CapacityQuestion } from "../../lib/host/capacity.ts";

/** A host of which every limit is known, and far from being reached. */
export const wideHost: HostReadings = {
  platform: "linux",
  descriptors: {
    soft: 1e6,
    hard: 1e6,
    reachable: 1e6,
    open: 12,
    nrOpen: 1_048_576,
    fileMax: 1e7,
    filesOpen: 1000,
    maxUserWatches: 5e6,
    isExemptFromFileMax: false,
  },
  sources: {
    range: { first: 1024, last: 65_535 },
    isKernelsRange: true,
    reservedPorts: 0,
    addresses: 100,
    isSpread: false,
    free: 6_451_200,
    inUse: 0,
    timeWait: 0,
  },
  conntrack: { count: 0, max: 262_144, isTracking: false },
  queues: {
    somaxconn: 4096,
    synBacklog: 4096,
    synCookies: 1,
    timeWaitReuse: 2,
    netdevBacklog: 1000,
  },
  socketMemory: {
    pageBytes: 4096,
    tcp: { min: 1e6, pressure: 2e6, max: 3e6, used: 10 },
    udp: { min: 1e6, pressure: 2e6, max: 3e6, used: 10 },
    rmemDefault: 212_992,
    rmemMax: 4_194_304,
    wmemDefault: 212_992,
    wmemMax: 4_194_304,
    isExempt: false,
  },
  controlGroup: { memory: undefined, pids: undefined },
  processes: {
    userLimit: 96_365,
    userHardLimit: 96_365,
    isExempt: false,
    threadsMax: 200_000,
    threads: 100,
    ownThreads: 7,
    ownAnonymousBytes: 20e6,
  },
  hostMemoryBytes: 64e9,
};

/** What holds on a system that tells nothing. */
export const silentHost: HostReadings = {
  platform: "darwin",
  descriptors: {
    soft: Infinity,
    hard: Infinity,
    reachable: Infinity,
    open: -1,
    nrOpen: undefined,
    fileMax: undefined,
    filesOpen: undefined,
    maxUserWatches: undefined,
    isExemptFromFileMax: false,
  },
  sources: undefined,
  conntrack: undefined,
  queues: {
    somaxconn: undefined,
    synBacklog: undefined,
    synCookies: undefined,
    timeWaitReuse: undefined,
    netdevBacklog: undefined,
  },
  socketMemory: {
    pageBytes: 4096,
    tcp: undefined,
    udp: undefined,
    rmemDefault: undefined,
    rmemMax: undefined,
    wmemDefault: undefined,
    wmemMax: undefined,
    isExempt: false,
  },
  controlGroup: { memory: undefined, pids: undefined },
  processes: {
    userLimit: undefined,
    userHardLimit: undefined,
    isExempt: false,
    threadsMax: undefined,
    threads: undefined,
    ownThreads: undefined,
    ownAnonymousBytes: undefined,
  },
  hostMemoryBytes: 8e9,
};

export const clientQuestion: CapacityQuestion = {
  role: "client",
  kind: "tcp",
  workers: 1,
  connectionsPerSocket: 32,
  isTargetLocal: false,
};
