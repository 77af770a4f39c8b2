import { telltaleCounters, telltales } from "../host/kernel_counters.ts";
import type { FailureKind } from "../stats/failure.ts";
import { adviceFor } from "../stats/failure_advice.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatShare,
} from "../stats/figures.ts";
import type { LimitSide, RampLimit } from "../stats/ramp.ts";
import type { RampEvidence } from "./ramp_evidence.ts";

/** A process that uses this much of a core has no time left. */
const busyCores = 0.9;
/** A server that uses less has time to spare. */
const idleCores = 0.5;
/** The generator is to blame where this much of a response time is its own lateness. */
const ownShare = 0.25;
/** A server whose statistics are owed for longer than this does not run. */
const silentAfterMs = 2000;
/** Little memory: below this, and below a hundredth of what the process uses, nothing is left. */
const littleMemoryBytes = 64e6;
/** So much of its table in use, connection tracking is at its end. */
const fullShare = 0.99;
/** The network is slow where its own round trip is this much of the response time. */
const pathShare = 0.3;
/** … and not quick in itself: at least this much of the bound on response times. */
const leastSlowShare = 0.05;
/** Segments sent again, for each message sent: beyond this, packets are lost. */
const lossyShare = 0.05;

type Finder = (evidence: RampEvidence) => Finding | undefined;

interface Finding {
  readonly side: LimitSide;
  readonly name: string;
  readonly statement: string;
  /** The figures that the statement rests on; what else was seen comes after them. */
  readonly evidence: readonly string[];
}

/**
 * Which limit a ramp has met, and on which side. What an error or a counter proves comes first, what
 * follows from the times comes last; where nothing tells the server from the network, it says so.
 */
export function findLimit(evidence: RampEvidence): RampLimit {
  const finders: readonly Finder[] = [
    ownDescriptors,
    ownPorts,
    sendQueue,
    ownMemory,
    ownConntrack,
    serverRefusals,
    acceptQueue,
    ownBuffers,
    packetBacklog,
    generatorCpu,
    serverStands,
    targetBuffers,
    unread,
    serverCpu,
    refusals,
    endedByPeer,
    slowPath,
    unansweredConnects,
    idleServer,
    slowPeer,
  ];
  for (const find of finders) {
    const found = find(evidence);
    if (found === undefined) continue;
    const general = generalEvidence(evidence).filter((line) => !found.evidence.includes(line));
    return { ...found, evidence: [...found.evidence, ...general] };
  }
  const isSilent = evidence.answered === 0 && evidence.sent > 0;
  return {
    side: "peer-or-path",
    name: isSilent ? "no answers" : "unknown",
    statement: `No counter of this host and no error names a limit here: it is the target or the ` +
      `network to it. ${whatWasSeen(evidence)}`,
    evidence: generalEvidence(evidence),
  };
}

/**
 * The limits of this host that neither an error of a connection nor the generator's own lateness
 * tells of, in one sentence each.
 */
export function ownLimits(evidence: RampEvidence): string[] {
  return [ownConntrack, ownBuffers, packetBacklog].flatMap((find) => {
    const found = find(evidence);
    if (found === undefined) return [];
    return [`${found.statement.slice(0, -1)} (${found.evidence.join("; ")}).`];
  });
}

function countOf({ failures }: RampEvidence, ...kinds: readonly FailureKind[]): number {
  return failures.filter(({ kind }) => kinds.includes(kind))
    .reduce((total, { count }) => total + count, 0);
}

function failureOf({ failures }: RampEvidence, kind: FailureKind): string[] {
  const found = failures.find((each) => each.kind === kind);
  return found === undefined ? [] : [`${formatCount(found.count)} ${kind}: ${found.firstDetail}`];
}

function grown({ counters }: RampEvidence, ...names: readonly string[]): number {
  return names.reduce((total, name) => total + Math.max(0, counters.get(name) ?? 0), 0);
}

const ownDescriptors: Finder = (evidence) => {
  if (countOf(evidence, "host-fds") === 0) return undefined;
  return {
    side: "client",
    name: "file descriptors",
    statement: `This host is at its limit: the client may open ${formatCount(evidence.fdLimit)} ` +
      `file descriptors and has ${formatCount(evidence.openFds)}; ${adviceFor("host-fds", "")}.`,
    evidence: failureOf(evidence, "host-fds"),
  };
};

const ownPorts: Finder = (evidence) => {
  if (countOf(evidence, "host-ports") === 0) return undefined;
  const { ephemeral, sockets, target } = evidence;
  const detail = evidence.failures.find(({ kind }) => kind === "host-ports")?.firstDetail ?? "";
  const range = ephemeral === undefined ? "" : `; the ephemeral range ${ephemeral.first}–` +
    `${ephemeral.last} has ${formatCount(ephemeral.last - ephemeral.first + 1)}`;
  return {
    side: "client",
    name: "source ports",
    statement: `This host has no source port left towards ${target}: ` +
      `${formatCount(sockets.towardsTarget)} are in use${range}; ` +
      `${adviceFor("host-ports", detail)}.`,
    evidence: failureOf(evidence, "host-ports"),
  };
};

/** A datagram that the queue of the interface does not take fails with ENOBUFS, as udp(7) does not say. */
const sendQueue: Finder = (evidence) => {
  const full = evidence.failures.find(({ kind, firstDetail }) =>
    kind === "host-memory" && firstDetail.includes("ENOBUFS")
  );
  if (full === undefined || (evidence.scheme !== "udp" && evidence.scheme !== "quic")) {
    return undefined;
  }
  return {
    side: "path",
    name: "send queue of the interface",
    statement: `The link of this host carries no more: its send queue is full, and ` +
      `${formatCount(full.count)} sends failed for want of room (ENOBUFS); ` +
      `${formatBytes(evidence.receivedPerSecond)}/s came back.`,
    evidence: [...failureOf(evidence, "host-memory"), ...counterLines(evidence, /^Udp6?\.Snd/)],
  };
};

const ownMemory: Finder = (evidence) => {
  const { gauges, availableMemoryBytes, rssBytes } = evidence;
  const refused = countOf(evidence, "host-memory");
  const aborted = grown(evidence, "TcpExt.TCPAbortOnMemory");
  const isSocketMemory = gauges.tcpMemoryBytes >= gauges.tcpPressureBytes ||
    grown(evidence, "TcpExt.TCPMemoryPressures") > 0;
  const isOut = availableMemoryBytes < Math.min(littleMemoryBytes, rssBytes / 10);
  if (refused === 0 && aborted === 0 && !isSocketMemory && !isOut) return undefined;
  const used = Number.isFinite(gauges.tcpMaxBytes)
    ? `TCP sockets hold ${formatBytes(gauges.tcpMemoryBytes)} of at most ` +
      `${formatBytes(gauges.tcpMaxBytes)} (net.ipv4.tcp_mem), `
    : "";
  return {
    side: "client",
    name: "memory",
    statement: `This host is short of memory: ${used}${formatBytes(availableMemoryBytes)} are ` +
      `available; ${adviceFor("host-memory", "")}.`,
    evidence: failureOf(evidence, "host-memory"),
  };
};

const ownConntrack: Finder = (evidence) => {
  const { conntrackCount, conntrackMax } = evidence.gauges;
  const dropped = grown(
    evidence,
    "Conntrack.drop",
    "Conntrack.early_drop",
    "Conntrack.insert_failed",
  );
  const isFull = conntrackCount >= conntrackMax * fullShare;
  if (grown(evidence, "Conntrack.drop") === 0 && !(isFull && dropped > 0)) return undefined;
  return {
    side: "client",
    name: "connection tracking table",
    statement: `The connection tracking table of this host is full: ` +
      `${formatCount(conntrackCount)} of ${formatCount(conntrackMax)} entries, and what does not ` +
      `fit is dropped; raise net.netfilter.nf_conntrack_max, or exempt this traffic (notrack).`,
    evidence: counterLines(evidence, /^Conntrack\./),
  };
};

const serverWords: Readonly<Record<string, string>> = {
  "max-connections": "its --max-connections are open",
  "fd-limit": "it has no file descriptor left; raise ulimit -n there",
};
const serverNames: Readonly<Record<string, string>> = {
  "max-connections": "maximum of connections",
  "fd-limit": "file descriptors",
};

const serverRefusals: Finder = (evidence) => {
  const { server } = evidence;
  if (server === undefined) return undefined;
  const [most] = Object.entries(server.refused).sort(([, a], [, b]) => b - a);
  if (most === undefined) return undefined;
  const [reason, count] = most;
  return {
    side: "server",
    name: serverNames[reason] ?? reason,
    statement: `The server refuses connections: ${serverWords[reason] ?? reason}. It counts ` +
      `${formatCount(count)} refused with ${formatCount(server.open)} open.`,
    evidence: serverLines(evidence),
  };
};

/** Only a listener of this host shows its queue. */
const acceptQueue: Finder = (evidence) => {
  const overflows = grown(evidence, "TcpExt.ListenOverflows", "TcpExt.TCPReqQFullDrop");
  if (!evidence.isLocal || overflows === 0) return undefined;
  const waiting = evidence.sockets.acceptQueue;
  const queue = waiting === undefined || waiting === 0
    ? ""
    : `; ${formatCount(waiting)} connections wait to be accepted`;
  return {
    side: "server",
    name: "accept queue",
    statement:
      `The server's accept queue is full: it does not accept as fast as connections come ` +
      `(or at all), and the kernel dropped ${formatCount(overflows)} requests${queue}; raise its ` +
      `backlog and net.core.somaxconn, or let it accept faster.`,
    evidence: counterLines(evidence, /^TcpExt\.(Listen|TCPReqQ)/),
  };
};

const ownBuffers: Finder = (evidence) => {
  const { droppedByOwn, droppedByTarget } = evidence.sockets;
  if (!(droppedByOwn > 0) || droppedByOwn < droppedByTarget) return undefined;
  if (grown(evidence, "Udp.RcvbufErrors", "Udp6.RcvbufErrors") === 0) return undefined;
  return {
    side: "client",
    name: "receive buffers",
    statement: `This host's own receive buffers were full: ${formatCount(droppedByOwn)} answers ` +
      `were dropped before the client read them; raise net.core.rmem_max, or use a faster host.`,
    evidence: counterLines(evidence, /^Udp6?\./),
  };
};

const packetBacklog: Finder = (evidence) => {
  const dropped = grown(evidence, "Softnet.dropped");
  if (dropped === 0) return undefined;
  return {
    side: "client",
    name: "packet backlog",
    statement: `This host does not process packets fast enough: ${formatCount(dropped)} were ` +
      `dropped from the backlog of a CPU; raise net.core.netdev_max_backlog, or use a faster host.`,
    evidence: counterLines(evidence, /^Softnet\./),
  };
};

/** What a message took on average; the like of the median of round trips. */
function usualNs({ responseMeanNs, windowMs }: RampEvidence): number {
  return Number.isFinite(responseMeanNs) ? responseMeanNs : windowMs * 1e6;
}

/** What the messages took; where none was answered, they take all the time there was. */
function slowestNs({ answered, responseP99Ns, windowMs }: RampEvidence): number {
  return answered === 0 || !Number.isFinite(responseP99Ns) ? windowMs * 1e6 : responseP99Ns;
}

const generatorCpu: Finder = (evidence) => {
  const { latenessP99Ns, maxLatenessP99Ns, cores, cpuWaitShare } = evidence;
  if (!(latenessP99Ns > maxLatenessP99Ns)) return undefined;
  // Late enough to have broken a bound, and a good part of what the answers took.
  const slowNs = Math.max(slowestNs(evidence), evidence.responseBoundNs);
  if (latenessP99Ns < ownShare * slowNs) return undefined;
  const time = cores >= busyCores
    ? "it had no CPU time left"
    : cpuWaitShare > 0
    ? `it was ready to run and had no CPU for ${formatShare(Math.min(1, cpuWaitShare))} of the time`
    : "it did not get the CPU";
  return {
    side: "client",
    name: "CPU",
    statement: `The generator was the limit: it picked messages up as late as ` +
      `${formatDuration(latenessP99Ns)} (p99), and ${time}; use a faster host, fewer messages ` +
      `(--interval), or several hosts.`,
    evidence: [ownCpu(evidence)],
  };
};

const serverStands: Finder = (evidence) => {
  const { server, answered, path } = evidence;
  if (server !== undefined && (server.silentMs > silentAfterMs || server.failure !== undefined)) {
    const silence = server.failure === undefined
      ? `its statistics have been owed for ${formatElapsed(server.silentMs)}`
      : `its statistics cannot be read any more (${server.failure})`;
    return {
      side: "server",
      name: "standstill",
      statement: `The server stands still or is gone: ${silence}, and ` +
        `${formatCount(answered)} of ${formatCount(evidence.sent)} messages were answered.`,
      evidence: serverLines(evidence),
    };
  }
  // Delayed acknowledgements take 40 ms (RFC 1122, section 4.2.3.2, allows 500).
  const isAcknowledged = path !== undefined && path.medianRoundTripMs < 500 &&
    grown(evidence, "Tcp.RetransSegs") < evidence.sent * lossyShare;
  if (answered > 0 || evidence.sent === 0 || !isAcknowledged) return undefined;
  return {
    side: "server",
    name: "no answers",
    statement:
      `The server has stopped answering: its kernel still acknowledges what is sent (round ` +
      `trip ${formatMs(path.medianRoundTripMs)}), and no program answers it.`,
    evidence: [pathLine(evidence)!],
  };
};

const targetBuffers: Finder = (evidence) => {
  const { droppedByTarget } = evidence.sockets;
  const isLocal = evidence.isLocal && droppedByTarget > 0 &&
    grown(evidence, "Udp.RcvbufErrors", "Udp6.RcvbufErrors") > 0;
  if (!isLocal) return undefined;
  const stands = evidence.answered === 0 ? ", and it answers nothing at all" : "";
  return {
    side: "server",
    name: "receive buffer",
    statement: `The server does not read as fast as datagrams come: its socket has dropped ` +
      `${formatCount(droppedByTarget)} of them${stands}.`,
    evidence: counterLines(evidence, /^Udp6?\./),
  };
};

/** Only sockets of this host show what waits in them. */
const unread: Finder = (evidence) => {
  const { sockets: { unreadByTarget }, isLocal, answered, sent } = evidence;
  if (!isLocal || unreadByTarget === 0 || answered > sent / 2) return undefined;
  const isStill = answered === 0;
  return {
    side: "server",
    name: isStill ? "standstill" : "slow reading",
    statement: `The server ${isStill ? "has stopped reading" : "reads too slowly"}: ` +
      `${formatBytes(unreadByTarget)} wait in its sockets, and ${formatCount(answered)} of ` +
      `${formatCount(sent)} messages were answered.`,
    evidence: [],
  };
};

const serverCpu: Finder = (evidence) => {
  const { server } = evidence;
  if (server === undefined || !(server.cores >= busyCores)) return undefined;
  return {
    side: "server",
    name: "CPU",
    statement: `The server has no CPU time left: it uses ${formatCores(server.cores)}; let it ` +
      `use more processes (--workers), or a faster host.`,
    evidence: serverLines(evidence),
  };
};

const refusals: Finder = (evidence) => {
  if (evidence.knee.affected === "existing" && evidence.failed === 0) return undefined;
  const kinds: readonly FailureKind[] = ["refused", "reset", "closed-by-peer", "protocol", "tls"];
  const refused = countOf(evidence, ...kinds);
  if (refused === 0 || evidence.failed === 0 || refused * 2 < evidence.failed) return undefined;
  // Those in use may end for another reason.
  if (evidence.closed > evidence.failed) return undefined;
  const [most] = evidence.failures.filter(({ kind }) => kinds.includes(kind));
  const how = evidence.turnedAway * 2 > evidence.failed
    ? "accepts new connections and ends them before it answers anything"
    : "refuses new connections";
  return {
    side: "server",
    name: "refusals",
    statement: `The target ${how} (${most?.firstDetail ?? "no detail"}), and open ones ` +
      `${evidence.closed > 0 ? "end too" : "go on"}: it holds no more than it has, by a limit of ` +
      `its own or of its host${
        evidence.server === undefined ? "; --server-stats shows which, where it is holdfast" : ""
      }.`,
    evidence: evidence.failures.map(({ kind, count, firstDetail }) =>
      `${formatCount(count)} ${kind}: ${firstDetail}`
    ),
  };
};

const endedByPeer: Finder = (evidence) => {
  if (evidence.closed === 0) return undefined;
  const [most] = evidence.failures;
  const isSilent = most === undefined || most.kind === "timeout" || most.kind === "idle" ||
    most.kind === "unreachable";
  return {
    side: isSilent ? "peer-or-path" : "server",
    name: "ended connections",
    statement: `${formatCount(evidence.closed)} connections in use ended unasked ` +
      `(${most?.firstDetail ?? "no detail"}): ${
        isSilent
          ? "the target is gone, or the network to it"
          : "the target, or something between that speaks for it, ended them"
      }.`,
    evidence: evidence.failures.map(({ kind, count, firstDetail }) =>
      `${formatCount(count)} ${kind}: ${firstDetail}`
    ),
  };
};

const slowPath: Finder = (evidence) => {
  const { path } = evidence;
  const resent = grown(evidence, "Tcp.RetransSegs");
  const roundTripNs = (path?.medianRoundTripMs ?? 0) * 1e6;
  const isSlow = roundTripNs > pathShare * usualNs(evidence) &&
    roundTripNs > leastSlowShare * evidence.responseBoundNs;
  const isLossy = resent > evidence.sent * lossyShare;
  if (path === undefined || !(isSlow || (isLossy && evidence.failed === 0))) return undefined;
  return {
    side: "path",
    name: isSlow ? "delay or throughput" : "packet loss",
    statement: `The network is the limit: its own round trip is ` +
      `${formatMs(path.medianRoundTripMs)}, below any program of the target, ` +
      `${
        formatShare(path.unacknowledgedShare)
      } of the connections wait for the target's kernel to ` +
      `confirm what was sent, and ${formatCount(resent)} segments were sent again; ` +
      `${formatBytes(evidence.receivedPerSecond)}/s came back.`,
    evidence: [pathLine(evidence)!],
  };
};

/** A server with time to spare, whose loop turns, does not hold answers back. */
const idleServer: Finder = (evidence) => {
  const { server, knee } = evidence;
  if (server === undefined || !(server.cores < idleCores) || knee.affected === "new") {
    return undefined;
  }
  return {
    side: "path",
    name: "delay, loss or throughput",
    statement:
      `The network is the limit: the server uses ${formatCores(server.cores)} and tells of ` +
      `itself without delay, and of ${formatCount(evidence.sent)} messages ` +
      `${formatCount(evidence.answered)} were answered here.`,
    evidence: serverLines(evidence),
  };
};

const slowPeer: Finder = (evidence) => {
  const { path, knee, responseMeanNs } = evidence;
  if (path === undefined || knee.affected === "new") return undefined;
  return {
    side: "server",
    name: "slow answers",
    statement: `The server answers too slowly: the network and the target's kernel take ` +
      `${formatMs(path.medianRoundTripMs)} for a round trip, and the rest of the ` +
      `${formatDuration(responseMeanNs)} (mean) passes in the server.`,
    evidence: [pathLine(evidence)!],
  };
};

const unansweredConnects: Finder = (evidence) => {
  const silent = countOf(evidence, "timeout", "unreachable");
  if (silent === 0 || silent * 2 < evidence.failed) return undefined;
  const open = evidence.answered > 0 ? ", and open ones go on" : "";
  return {
    side: "peer-or-path",
    name: "unanswered connects",
    statement: `New connections get no answer${open}: the target's queue of connections is full, ` +
      `or something on the way drops them (a firewall, a full connection tracking table). Nothing ` +
      `on this host does.`,
    evidence: [...failureOf(evidence, "timeout"), ...failureOf(evidence, "unreachable")],
  };
};

/** What a reader wants to see whatever the verdict is. */
function generalEvidence(evidence: RampEvidence): string[] {
  const { failures, ephemeral, sockets, gauges } = evidence;
  const path = pathLine(evidence);
  return [
    ...failures.map(({ kind, count, firstDetail }) =>
      `${formatCount(count)} ${kind}: ${firstDetail}`
    ),
    `messages: ${formatCount(evidence.sent)} sent, ${formatCount(evidence.answered)} answered, ` +
    `${formatCount(evidence.lost)} lost in ${formatElapsed(evidence.windowMs)}; worst second p99 ` +
    `${formatDuration(evidence.responseP99Ns)}`,
    ownCpu(evidence),
    `client: ${formatCount(evidence.openFds)} of ${formatCount(evidence.fdLimit)} file ` +
    `descriptors, ${formatCount(sockets.towardsTarget)} sockets towards the target` +
    (ephemeral === undefined
      ? ""
      : ` (ephemeral ports: ${formatCount(ephemeral.last - ephemeral.first + 1)})`) +
    `, ${formatBytes(evidence.rssBytes)} of memory, ` +
    `${formatBytes(evidence.availableMemoryBytes)} available`,
    ...(path === undefined ? [] : [path]),
    ...(gauges.conntrackCount > 0
      ? [
        `connection tracking: ${formatCount(gauges.conntrackCount)} of ` +
        `${formatCount(gauges.conntrackMax)} entries`,
      ]
      : []),
    ...counterLines(evidence, /./),
    ...serverLines(evidence),
  ];
}

function ownCpu({ cores, cpuWaitShare, latenessP99Ns }: RampEvidence): string {
  const waited = Number.isFinite(cpuWaitShare)
    ? `, waited for a CPU ${formatShare(Math.min(1, Math.max(0, cpuWaitShare)))} of the time`
    : "";
  return `generator: ${formatCores(cores)}${waited}, picked messages up ` +
    `${formatDuration(latenessP99Ns)} late (p99)`;
}

function pathLine({ path }: RampEvidence): string | undefined {
  if (path === undefined) return undefined;
  return `TCP of ${formatCount(path.connections)} connections: median round trip ` +
    `${formatMs(path.medianRoundTripMs)}, unacknowledged data on ` +
    `${formatShare(path.unacknowledgedShare)}`;
}

function counterLines({ counters }: RampEvidence, names: RegExp): string[] {
  return [...telltales(counters)].filter(([name]) => names.test(name)).map(([name, change]) =>
    `kernel: ${name} +${formatCount(change)} (${telltaleCounters.get(name)})`
  );
}

function serverLines({ server }: RampEvidence): string[] {
  if (server === undefined) return [];
  const refused = Object.entries(server.refused)
    .map(([reason, count]) => `, ${formatCount(count)} refused (${reason})`).join("");
  const cpu = Number.isFinite(server.cores) ? `, ${formatCores(server.cores)}` : "";
  const silence = server.silentMs > 1000
    ? `, statistics owed for ${formatElapsed(server.silentMs)}`
    : "";
  return [
    `server: ${formatCount(server.open)} open, ${formatCount(server.accepted)} accepted${refused}` +
    `${cpu}, ${formatCount(server.openFds)} file descriptors, ${formatBytes(server.rssBytes)} of ` +
    `memory${silence}${server.failure === undefined ? "" : `; ${server.failure}`}`,
    ...server.failures.map(({ kind, count, firstDetail }) =>
      `server: ${formatCount(count)} ${kind}: ${firstDetail}`
    ),
  ];
}

function formatMs(ms: number): string {
  return formatDuration(ms * 1e6);
}

function whatWasSeen(evidence: RampEvidence): string {
  const { failed, closed, lost, answered } = evidence;
  const parts = [
    ...(failed > 0 ? [`${formatCount(failed)} connects failed`] : []),
    ...(closed > 0 ? [`${formatCount(closed)} connections ended`] : []),
    ...(lost > 0 ? [`${formatCount(lost)} messages were lost`] : []),
    `${formatCount(answered)} were answered, p99 ${formatDuration(evidence.responseP99Ns)}`,
  ];
  return `What was seen: ${parts.join(", ")}.`;
}
