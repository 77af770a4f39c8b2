import { adviceFor } from "../stats/failure_advice.ts";
import { formatBytes, formatCount, formatDuration, formatShare } from "../stats/figures.ts";
import { counterLines, countOf, failureOf, grown, ownCpu, slowestNs } from "./evidence_text.ts";
import { busyCores, type Finder } from "./limit_finder.ts";

/** The generator is to blame where this much of a response time is its own lateness. */
const ownShare = 0.25;

/** Little memory: below this, and below a hundredth of what the process uses, nothing is left. */
const littleMemoryBytes = 64e6;

/** So much of its table in use, connection tracking is at its end. */
const fullShare = 0.99;

export const descriptors: Finder = (evidence) => {
  if (countOf(evidence, "host-fds") === 0) return undefined;
  return {
    side: "client",
    name: "file descriptors",
    statement: `This host is at its limit: the client may open ${formatCount(evidence.fdLimit)} ` +
      `file descriptors and has ${formatCount(evidence.openFds)}; ${adviceFor("host-fds", "")}.`,
    evidence: failureOf(evidence, "host-fds"),
  };
};

export const sourcePorts: Finder = (evidence) => {
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
export const sendQueue: Finder = (evidence) => {
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

export const memory: Finder = (evidence) => {
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

export const conntrack: Finder = (evidence) => {
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

export const receiveBuffers: Finder = (evidence) => {
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

export const packetBacklog: Finder = (evidence) => {
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

export const generatorCpu: Finder = (evidence) => {
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
