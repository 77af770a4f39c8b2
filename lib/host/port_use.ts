import { type EphemeralPorts, parsePortRange } from "./limits.ts";
import { contentOf, sysctlNumber, sysctlText } from "./kernel_file.ts";
import { canonicalAddress } from "./used_ports.ts";
import {
  addressWords,
  isWildcard,
  readSocketTable,
  type SocketRow,
  tcpStates,
} from "./socket_table.ts";

/** Where connections go, and how their sources are found. */
export interface PortQuestion {
  /** Of UDP sockets, QUIC included, or of TCP ones. */
  readonly protocol: "tcp" | "udp";
  /** IP address; undefined: one that nothing is connected to yet. */
  readonly targetAddress?: string | undefined;
  readonly targetPort?: number | undefined;
  /** The source that the route to the target has; undefined: not known. */
  readonly sourceAddress?: string | undefined;
  /**
   * A range that sockets are bound to explicitly (`--source-ports`, or an own table of ports); where
   * it is left out the kernel chooses from `net.ipv4.ip_local_port_range`.
   */
  readonly range?: EphemeralPorts | undefined;
  /** The address that they are bound to; undefined: to all of them. */
  readonly boundAddress?: string | undefined;
}

/** How many source ports there are towards a target. */
export interface PortReadings {
  readonly range: EphemeralPorts;
  /** Those of the range that `net.ipv4.ip_local_reserved_ports` keeps from the kernel's choice. */
  readonly reserved: number;
  /** Those of the rest that a new connection to the target cannot have. */
  readonly inUse: number;
  /** How many of those are in TIME_WAIT, and free again within a minute. */
  readonly inTimeWait: number;
  /** How many are left, for each source address. */
  readonly free: number;
}

const free = 0;
const taken = 1;
const waiting = 2;
const kept = 3;

/** Counts the ports of this network namespace; undefined where the kernel does not tell. */
export function readPorts(question: PortQuestion): PortReadings | undefined {
  const range = question.range ?? parsePortRange(sysctlText("net.ipv4.ip_local_port_range"));
  if (range === undefined || contentOf("/proc/net/tcp") === "") return undefined;
  return countPorts(
    { ...question, range, isBound: question.range !== undefined },
    readSocketTable(question.protocol),
    parsePortList(sysctlText("net.ipv4.ip_local_reserved_ports")),
    reusesTimeWait(question),
  );
}

/**
 * The same from given tables.
 *
 * A TCP port that the kernel chooses is in the way only of connections between the same two addresses
 * and to the same port, or where a socket listens on it: it may serve towards many targets. One that
 * is bound explicitly, and every one of UDP, has to be free of all other sockets on its address
 * (`inet_csk_bind_conflict`, `__inet_hash_connect` and `udp_lib_lport_inuse` of the kernel).
 */
export function countPorts(
  question: PortQuestion & { readonly range: EphemeralPorts; readonly isBound: boolean },
  sockets: Iterable<SocketRow>,
  reserved: readonly EphemeralPorts[],
  reusesTimeWait: boolean,
): PortReadings {
  const { first, last } = question.range;
  const ports = new Uint8Array(65536);
  if (!question.isBound) {
    for (const range of reserved) ports.fill(kept, range.first, range.last + 1);
  }
  const target = wordsOf(question.targetAddress);
  const isExclusive = question.isBound || question.protocol === "udp";
  const source = wordsOf(isExclusive ? question.boundAddress : question.sourceAddress);
  for (const { localWords, localPort, remoteWords, remotePort, state } of sockets) {
    if (localPort < first || localPort > last || ports[localPort] === kept) continue;
    if (source !== undefined && localWords !== source && !isWildcard(localWords)) continue;
    const isWaiting = question.protocol === "tcp" && state === tcpStates.timeWait;
    const isInWay = isExclusive || state === tcpStates.listen ||
      (target !== undefined && remoteWords === target && remotePort === question.targetPort);
    if (!isInWay || (isWaiting && reusesTimeWait && !question.isBound)) continue;
    if (!isWaiting) ports[localPort] = taken;
    else if (ports[localPort] === free) ports[localPort] = waiting;
  }
  const count = (kind: number) => {
    let found = 0;
    for (let port = first; port <= last; port++) if (ports[port] === kind) found++;
    return found;
  };
  return {
    range: question.range,
    reserved: count(kept),
    inUse: count(taken) + count(waiting),
    inTimeWait: count(waiting),
    free: count(free),
  };
}

function wordsOf(address: string | undefined): string | undefined {
  const canonical = address === undefined ? undefined : canonicalAddress(address);
  return canonical === undefined ? undefined : addressWords(canonical);
}

/**
 * Whether a new connection may take the port of one in TIME_WAIT after a second
 * (`net.ipv4.tcp_tw_reuse`: 1 yes, 2 between loopback addresses; ip-sysctl.rst). It takes timestamps.
 */
function reusesTimeWait({ sourceAddress, targetAddress }: PortQuestion): boolean {
  if (sysctlNumber("net.ipv4.tcp_timestamps") === 0) return false;
  const setting = sysctlNumber("net.ipv4.tcp_tw_reuse");
  const isLoopback = [sourceAddress, targetAddress].some((address) =>
    address !== undefined && isLoopbackAddress(address)
  );
  return setting === 1 || (setting === 2 && isLoopback);
}

/** 127.0.0.0/8 and ::1. */
export function isLoopbackAddress(address: string): boolean {
  const canonical = canonicalAddress(address);
  return canonical === "::1" || canonical?.startsWith("127.") === true;
}

/** `8080,9148-9150`; what is no port or range is left out. */
export function parsePortList(text: string): EphemeralPorts[] {
  return text.trim().split(",").flatMap((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    return first <= last && last <= 65535 ? [{ first, last }] : [];
  });
}
