import { contentOf } from "./kernel_file.ts";
import { type TcpPath, tcpPath } from "./libc.ts";

/** What the sockets of this network namespace tell of a target, as far as the kernel shows it. */
export interface TargetSockets {
  /** Sockets whose peer has the target's port, those in TIME_WAIT included. */
  readonly towardsTarget: number;
  /** A listener of this namespace on that port: connections that wait to be accepted. */
  readonly acceptQueue: number | undefined;
  /** Bytes that wait unread in sockets of this namespace on that port. */
  readonly unreadByTarget: number;
  /** Datagrams that the socket bound to the target's port has dropped, for want of buffer space. */
  readonly droppedByTarget: number;
  /** The same of the sockets that are connected to it. */
  readonly droppedByOwn: number;
}

/** `sl: local:port remote:port state tx:rx … drops`: proc(5). */
const row =
  /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) [0-9A-F]{8}:([0-9A-F]{8}) .*?(\d+)\s*$/;
const listenState = "0A";

/** Reads `/proc/net/{tcp,udp}{,6}`; about 2 µs per socket of the namespace. */
export function readTargetSockets(protocol: "tcp" | "udp", ports: PortSpan): TargetSockets {
  const texts = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].map(contentOf);
  return parseTargetSockets(texts.join("\n"), protocol, ports);
}

/** Ports of the target, both ends included. */
export interface PortSpan {
  readonly first: number;
  readonly last: number;
}

export function parseTargetSockets(
  text: string,
  protocol: "tcp" | "udp",
  { first, last }: PortSpan,
): TargetSockets {
  const isTarget = (hex: string) => {
    const port = parseInt(hex, 16);
    return port >= first && port <= last;
  };
  let towardsTarget = 0;
  let acceptQueue: number | undefined;
  let unreadByTarget = 0;
  let droppedByTarget = 0;
  let droppedByOwn = 0;
  for (const line of text.split("\n")) {
    const match = row.exec(line);
    if (match === null) continue;
    const [, local = "", remote = "", state = "", queue = "", end = ""] = match;
    const drops = protocol === "udp" ? Number(end) : 0;
    if (isTarget(remote)) {
      towardsTarget++;
      droppedByOwn += drops;
    } else if (isTarget(local)) {
      droppedByTarget += drops;
      if (protocol === "tcp" && state === listenState) {
        acceptQueue = (acceptQueue ?? 0) + parseInt(queue, 16);
      } else {
        unreadByTarget += parseInt(queue, 16);
      }
    }
  }
  return { towardsTarget, acceptQueue, unreadByTarget, droppedByTarget, droppedByOwn };
}

/** How the network itself answers, in a sample of this process's TCP connections to the target. */
export interface PathSample {
  readonly connections: number;
  /** Of the smoothed round trips, in ms. */
  readonly medianRoundTripMs: number;
  /** Share of the connections that have sent something which the peer's kernel has not confirmed. */
  readonly unacknowledgedShare: number;
}

const mostProbes = 2000;
const mostConnections = 300;

/** @returns undefined where this process has no TCP connection to the port, or cannot tell. */
export function samplePaths(ports: PortSpan, openFds: number): PathSample | undefined {
  const lastFd = (Number.isFinite(openFds) ? openFds : 1000) + 50;
  const stride = Math.max(1, Math.floor(lastFd / mostProbes));
  const paths: TcpPath[] = [];
  for (let fd = 3; fd <= lastFd && paths.length < mostConnections; fd += stride) {
    const path = tcpPath(fd);
    if (path !== undefined && path.peerPort >= ports.first && path.peerPort <= ports.last) {
      paths.push(path);
    }
  }
  if (paths.length === 0) return undefined;
  const roundTrips = paths.map(({ roundTripUs }) => roundTripUs).sort((a, b) => a - b);
  return {
    connections: paths.length,
    medianRoundTripMs: roundTrips[Math.floor(roundTrips.length / 2)]! / 1000,
    unacknowledgedShare: paths.filter(({ unacknowledged }) => unacknowledged > 0).length /
      paths.length,
  };
}
