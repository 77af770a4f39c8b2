import type { FailureKind } from "../stats/failure.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatShare,
} from "../stats/figures.ts";
import {
  counterLines,
  countOf,
  failureOf,
  formatMs,
  grown,
  pathLine,
  serverLines,
  usualNs,
} from "./evidence_text.ts";
import { busyCores, type Finder } from "./limit_finder.ts";

/** A server that uses less has time to spare. */
const idleCores = 0.5;

/** A server whose statistics are owed for longer than this does not run. */
const silentAfterMs = 2000;

/** The network is slow where its own round trip is this much of the response time. */
const pathShare = 0.3;

/** … and not quick in itself: at least this much of the bound on response times. */
const leastSlowShare = 0.05;

/** Segments sent again, for each message sent: beyond this, packets are lost. */
const lossyShare = 0.05;

const serverWords: Readonly<Record<string, string>> = {
  "max-connections": "its --max-connections are open",
  "fd-limit": "it has no file descriptor left; raise ulimit -n there",
};

const serverNames: Readonly<Record<string, string>> = {
  "max-connections": "maximum of connections",
  "fd-limit": "file descriptors",
};

export const serverRefusals: Finder = (evidence) => {
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
export const acceptQueue: Finder = (evidence) => {
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

export const serverStands: Finder = (evidence) => {
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

export const targetBuffers: Finder = (evidence) => {
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
export const unread: Finder = (evidence) => {
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

export const serverCpu: Finder = (evidence) => {
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

export const refusals: Finder = (evidence) => {
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

export const endedByPeer: Finder = (evidence) => {
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

export const slowPath: Finder = (evidence) => {
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

export const unansweredConnects: Finder = (evidence) => {
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

/** A server with time to spare, whose loop turns, does not hold answers back. */
export const idleServer: Finder = (evidence) => {
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

export const slowPeer: Finder = (evidence) => {
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
