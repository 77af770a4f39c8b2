import { test } from "bun:test";
import assert from "node:assert/strict";
import type { RampEvidence } from "../../lib/client/ramp_evidence.ts";
import { findLimit } from "../../lib/client/ramp_limit.ts";
import type { FailureKind } from "../../lib/stats/failure.ts";
import type { FailureCount } from "../../lib/stats/snapshot.ts";

/** A second in which new connections time out, and in which nothing else was seen. */
const quiet: RampEvidence = {
  scheme: "tcp",
  target: "198.51.100.2:4242",
  isLocal: false,
  knee: { atMs: 9000, connections: 900, broken: [], affected: "existing" },
  windowMs: 3000,
  failures: [],
  opened: 0,
  failed: 0,
  turnedAway: 0,
  closed: 0,
  sent: 3000,
  answered: 2900,
  lost: 100,
  receivedPerSecond: 1e5,
  responseP99Ns: 2e9,
  responseBoundNs: 1e9,
  responseMeanNs: 1.2e9,
  latenessP99Ns: 1e6,
  maxLatenessP99Ns: 10e6,
  cores: 0.2,
  cpuWaitShare: 0.01,
  rssBytes: 8e7,
  availableMemoryBytes: 8e9,
  counters: new Map(),
  gauges: {
    conntrackCount: 0,
    conntrackMax: 262_144,
    tcpMemoryBytes: 1e6,
    tcpPressureBytes: 1e9,
    tcpMaxBytes: 2e9,
    tcpOrphans: 0,
    tcpMaxOrphans: 1e5,
    tcpTimeWait: 0,
  },
  openFds: 910,
  fdLimit: 20_000,
  ephemeral: { first: 32_768, last: 60_999 },
  sockets: {
    towardsTarget: 900,
    acceptQueue: undefined,
    unreadByTarget: 0,
    droppedByTarget: 0,
    droppedByOwn: 0,
  },
  path: undefined,
  server: undefined,
};

const ofNew = { ...quiet.knee, affected: "new" } as const;
const idleServer = {
  refused: {},
  failures: [],
  accepted: 0,
  open: 900,
  cores: 0.1,
  rssBytes: 8e7,
  openFds: 912,
  silentMs: 0,
  failure: undefined,
};

function failure(kind: FailureKind, count: number, firstDetail: string): FailureCount {
  return { kind, count, firstAtMs: 9000, firstDetail };
}

function counted(counts: Record<string, number>): ReadonlyMap<string, number> {
  return new Map(Object.entries(counts));
}

/** What was seen, and what it proves. */
const cases: readonly (readonly [string, Partial<RampEvidence>, string, string])[] = [
  [
    "descriptors",
    { knee: ofNew, failed: 9, failures: [failure("host-fds", 9, "EMFILE connect")] },
    "client",
    "file descriptors",
  ],
  [
    "ports, even while the server refuses too",
    {
      knee: ofNew,
      failed: 9,
      failures: [failure("host-ports", 5, "EADDRNOTAVAIL"), failure("refused", 4, "ECONNREFUSED")],
    },
    "client",
    "source ports",
  ],
  [
    "a full send queue of datagrams",
    { scheme: "udp", failures: [failure("host-memory", 5, "ENOBUFS 198.51.100.2:1")] },
    "path",
    "send queue of the interface",
  ],
  [
    "memory that a connect wants",
    { failed: 5, knee: ofNew, failures: [failure("host-memory", 5, "ENOMEM")] },
    "client",
    "memory",
  ],
  [
    "pressure on the memory of sockets",
    { gauges: { ...quiet.gauges, tcpMemoryBytes: 1.1e9 } },
    "client",
    "memory",
  ],
  [
    "connection tracking that drops",
    { failed: 9, knee: ofNew, counters: counted({ "Conntrack.drop": 12 }) },
    "client",
    "connection tracking table",
  ],
  [
    "connection tracking that forgets others in a full table",
    {
      gauges: { ...quiet.gauges, conntrackCount: 262_144 },
      counters: counted({ "Conntrack.early_drop": 12 }),
    },
    "client",
    "connection tracking table",
  ],
  [
    "what the server says of itself",
    { knee: ofNew, failed: 9, server: { ...idleServer, refused: { "max-connections": 9 } } },
    "server",
    "maximum of connections",
  ],
  [
    "a full accept queue on this host",
    { isLocal: true, knee: ofNew, failed: 9, counters: counted({ "TcpExt.ListenOverflows": 9 }) },
    "server",
    "accept queue",
  ],
  [
    "overflows of somebody else's queue, where the target is elsewhere",
    {
      knee: ofNew,
      failed: 9,
      failures: [failure("timeout", 9, "no connection within the timeout")],
      counters: counted({ "TcpExt.ListenOverflows": 9 }),
    },
    "peer-or-path",
    "unanswered connects",
  ],
  [
    "full receive buffers of its own",
    {
      scheme: "udp",
      sockets: { ...quiet.sockets, droppedByOwn: 50 },
      counters: counted({ "Udp.RcvbufErrors": 50 }),
    },
    "client",
    "receive buffers",
  ],
  [
    "a full receive buffer of a server on this host",
    {
      scheme: "udp",
      isLocal: true,
      sockets: { ...quiet.sockets, droppedByTarget: 50 },
      counters: counted({ "Udp.RcvbufErrors": 50 }),
    },
    "server",
    "receive buffer",
  ],
  ["packets dropped", { counters: counted({ "Softnet.dropped": 7 }) }, "client", "packet backlog"],
  ["a late generator", { latenessP99Ns: 1.8e9, cores: 0.99 }, "client", "CPU"],
  ["a generator without a CPU", { latenessP99Ns: 9e8, cpuWaitShare: 0.8 }, "client", "CPU"],
  [
    "refusals, though the generator was a little late",
    {
      knee: ofNew,
      failed: 9,
      latenessP99Ns: 30e6,
      responseP99Ns: 35e6,
      responseMeanNs: 1e6,
      failures: [failure("refused", 9, "HTTP/1.1 503")],
    },
    "server",
    "refusals",
  ],
  [
    "a server that turns new ones away",
    {
      knee: ofNew,
      failed: 9,
      turnedAway: 9,
      failures: [failure("reset", 9, "ECONNRESET")],
      responseP99Ns: 1e6,
    },
    "server",
    "refusals",
  ],
  [
    "statistics that are owed",
    { server: { ...idleServer, silentMs: 4000 } },
    "server",
    "standstill",
  ],
  [
    "acknowledgements without answers",
    {
      answered: 0,
      responseP99Ns: NaN,
      responseMeanNs: NaN,
      path: { connections: 300, medianRoundTripMs: 41, unacknowledgedShare: 0.4 },
    },
    "server",
    "no answers",
  ],
  [
    "bytes that nobody reads",
    {
      scheme: "udp",
      isLocal: true,
      answered: 0,
      sockets: { ...quiet.sockets, unreadByTarget: 9e5 },
    },
    "server",
    "standstill",
  ],
  ["a busy server", { server: { ...idleServer, cores: 0.98 } }, "server", "CPU"],
  [
    "connections that the peer ends",
    { closed: 40, failures: [failure("closed-by-peer", 40, "FIN")] },
    "server",
    "ended connections",
  ],
  [
    "connections that end in silence",
    { scheme: "quic", closed: 40, failures: [failure("idle", 40, "no packet for 2 s")] },
    "peer-or-path",
    "ended connections",
  ],
  [
    "a long round trip",
    { path: { connections: 300, medianRoundTripMs: 700, unacknowledgedShare: 0.6 } },
    "path",
    "delay or throughput",
  ],
  [
    "segments that are sent again and again",
    {
      path: { connections: 300, medianRoundTripMs: 30, unacknowledgedShare: 0.6 },
      counters: counted({ "Tcp.RetransSegs": 600 }),
    },
    "path",
    "packet loss",
  ],
  [
    "a short round trip and slow answers",
    { path: { connections: 300, medianRoundTripMs: 0.2, unacknowledgedShare: 0 } },
    "server",
    "slow answers",
  ],
  [
    "an idle server and slow answers",
    { scheme: "udp", server: idleServer },
    "path",
    "delay, loss or throughput",
  ],
  ["datagrams that are lost, and nothing else", { scheme: "udp" }, "peer-or-path", "unknown"],
  [
    "datagrams of which none is answered",
    { scheme: "udp", answered: 0, responseP99Ns: NaN, responseMeanNs: NaN },
    "peer-or-path",
    "no answers",
  ],
];

for (const [what, changes, side, name] of cases) {
  test(`findLimit() knows ${what}`, () => {
    const limit = findLimit({ ...quiet, ...changes });
    assert.deepEqual([limit.side, limit.name], [side, name], limit.statement);
    assert.match(limit.statement, /^[A-Z\d].*\.$/);
    assert.doesNotMatch(limit.statement, /undefined|NaN|\n/);
    for (const line of limit.evidence) assert.doesNotMatch(line, /undefined|NaN|\n/);
    // What there is to say of host and messages comes whatever the limit is.
    assert.ok(limit.evidence.some((line) => line.startsWith("messages: ")));
    assert.ok(limit.evidence.some((line) => line.startsWith("generator: ")));
    assert.equal(new Set(limit.evidence).size, limit.evidence.length, "nothing is said twice");
  });
}
