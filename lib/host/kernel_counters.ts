import { contentOf } from "./kernel_file.ts";

/**
 * Counters of the kernel's network stack since boot, for this network namespace, by name:
 * `TcpExt.ListenOverflows`, `Udp.RcvbufErrors`. `Documentation/networking/snmp_counter.rst` of the
 * kernel says what each counts.
 */
export type KernelCounters = ReadonlyMap<string, number>;

/** The counters that explain a loss or a wait, in the words of a report. */
export const telltaleCounters: ReadonlyMap<string, string> = new Map([
  ["TcpExt.ListenOverflows", "connections refused because the accept queue was full"],
  ["TcpExt.ListenDrops", "connections dropped by a listener, for any reason"],
  ["TcpExt.TCPBacklogDrop", "segments dropped because the socket's backlog was full"],
  ["TcpExt.TCPRcvQDrop", "segments dropped because the receive queue was full"],
  ["TcpExt.PruneCalled", "times that a receive buffer was over its limit"],
  ["TcpExt.TCPTimeouts", "retransmission timeouts"],
  ["TcpExt.TCPAbortOnMemory", "connections ended for lack of socket memory"],
  ["TcpExt.TCPReqQFullDrop", "connection requests dropped because the queue was full"],
  ["TcpExt.TCPReqQFullDoCookies", "connection requests answered by SYN cookies"],
  ["TcpExt.SyncookiesSent", "SYN cookies sent"],
  ["TcpExt.TCPSynRetrans", "connection requests sent again"],
  ["TcpExt.TCPMemoryPressures", "times that TCP came under memory pressure"],
  ["TcpExt.TCPTimeWaitOverflow", "sockets that could not wait in TIME_WAIT"],
  ["Tcp.RetransSegs", "segments sent again"],
  ["Tcp.AttemptFails", "connects that failed"],
  ["Tcp.EstabResets", "connections that ended by a reset"],
  ["Tcp.OutRsts", "resets sent"],
  ["Udp.RcvbufErrors", "datagrams dropped because a receive buffer was full"],
  ["Udp.SndbufErrors", "datagrams not sent because a send buffer was full"],
  ["Udp.NoPorts", "datagrams to ports on which nobody listens"],
  ["Udp.MemErrors", "datagrams dropped for lack of memory"],
  ["Udp6.RcvbufErrors", "IPv6 datagrams dropped because a receive buffer was full"],
  ["Udp6.SndbufErrors", "IPv6 datagrams not sent because a send buffer was full"],
  ["Udp6.NoPorts", "IPv6 datagrams to ports on which nobody listens"],
  ["Udp6.MemErrors", "IPv6 datagrams dropped for lack of memory"],
  ["Icmp.InDestUnreachs", "ICMP messages that a destination cannot be reached"],
  ["Icmp6.InDestUnreachs", "ICMPv6 messages that a destination cannot be reached"],
  ["Softnet.dropped", "packets dropped because a CPU's backlog was full (netdev_max_backlog)"],
  ["Conntrack.drop", "packets dropped because the connection tracking table was full"],
  ["Conntrack.early_drop", "tracked connections dropped to make room for new ones"],
  ["Conntrack.insert_failed", "connections that could not be entered in the tracking table"],
]);

/** All counters as they stand; none where the files are not there (not Linux). */
export function readKernelCounters(): KernelCounters {
  const counters = new Map<string, number>();
  parseTableCounters(contentOf("/proc/net/netstat"), counters);
  parseTableCounters(contentOf("/proc/net/snmp"), counters);
  parseListCounters(contentOf("/proc/net/snmp6"), counters);
  parseSoftnetCounters(contentOf("/proc/net/softnet_stat"), counters);
  parseConntrackCounters(contentOf("/proc/net/stat/nf_conntrack"), counters);
  return counters;
}

/**
 * How much each counter of `after` has grown since `before`; those that have not are left out. A
 * counter that `before` does not know started at 0.
 */
export function difference(before: KernelCounters, after: KernelCounters): KernelCounters {
  const grown = new Map<string, number>();
  for (const [name, value] of after) {
    const change = value - (before.get(name) ?? 0);
    if (change !== 0) grown.set(name, change);
  }
  return grown;
}

/** The growth that {@link telltaleCounters} name, in their order. */
export function telltales(grown: KernelCounters): KernelCounters {
  const told = new Map<string, number>();
  for (const name of telltaleCounters.keys()) {
    const change = grown.get(name);
    if (change !== undefined && change > 0) told.set(name, change);
  }
  return told;
}

/**
 * The format of `/proc/net/netstat` and `/proc/net/snmp`: pairs of lines `Tcp: name name …` and
 * `Tcp: value value …`. A pair that does not fit together is skipped.
 */
export function parseTableCounters(text: string, into: Map<string, number>): void {
  const lines = text.split("\n");
  for (let i = 0; i + 1 < lines.length; i++) {
    const [prefix, ...names] = lines[i]!.trim().split(/\s+/);
    const [samePrefix, ...values] = lines[i + 1]!.trim().split(/\s+/);
    if (prefix === undefined || !/^\w+:$/.test(prefix) || prefix !== samePrefix) continue;
    if (names.length !== values.length || !names.every((name) => /^[A-Za-z]\w*$/.test(name))) {
      continue;
    }
    names.forEach((name, at) => add(into, `${prefix.slice(0, -1)}.${name}`, values[at]!));
    i++;
  }
}

/** The format of `/proc/net/snmp6`: lines `Udp6RcvbufErrors value`. */
export function parseListCounters(text: string, into: Map<string, number>): void {
  for (const line of text.split("\n")) {
    const match = /^(Ip6|Icmp6|Udp6|UdpLite6)(\w+)\s+(\d+)\s*$/.exec(line);
    if (match !== null) add(into, `${match[1]}.${match[2]}`, match[3]!);
  }
}

/**
 * The format of `/proc/net/softnet_stat`: a line of hexadecimal numbers per CPU, of which the second
 * are packets dropped and the third the times that a turn was too short. Of the whole host, not only
 * of this namespace.
 */
export function parseSoftnetCounters(text: string, into: Map<string, number>): void {
  for (const line of text.split("\n")) {
    const match = /^[0-9a-f]{8} ([0-9a-f]{8}) ([0-9a-f]{8})\b/.exec(line);
    if (match === null) continue;
    sum(into, "Softnet.dropped", parseInt(match[1]!, 16));
    sum(into, "Softnet.time_squeeze", parseInt(match[2]!, 16));
  }
}

/**
 * The format of `/proc/net/stat/nf_conntrack`: names, then a line of hexadecimal numbers per CPU.
 * `entries` is no counter, and the same on every line; it is left out.
 */
export function parseConntrackCounters(text: string, into: Map<string, number>): void {
  const [head = "", ...lines] = text.split("\n");
  const names = head.trim().split(/\s+/);
  if (names[0] !== "entries") return;
  for (const line of lines) {
    const values = line.trim().split(/\s+/);
    if (values.length !== names.length || !values.every((value) => /^[0-9a-f]{8}$/.test(value))) {
      continue;
    }
    for (let i = 1; i < names.length; i++) {
      sum(into, `Conntrack.${names[i]}`, parseInt(values[i]!, 16));
    }
  }
}

function sum(into: Map<string, number>, name: string, value: number): void {
  into.set(name, (into.get(name) ?? 0) + value);
}

function add(into: Map<string, number>, name: string, text: string): void {
  if (/^-?\d{1,20}$/.test(text)) into.set(name, Number(text));
}
