import { contentOf, sysctlNumber } from "./kernel_file.ts";
import { readSocketMemory } from "./socket_memory.ts";

/** What the network stack holds at the moment, beside what it may hold; NaN where not known. */
export interface NetworkGauges {
  /** Tracked connections of this namespace, and the most there may be. */
  readonly conntrackCount: number;
  readonly conntrackMax: number;
  /** Memory of TCP sockets, and where pressure begins and ends (`net.ipv4.tcp_mem`), in bytes. */
  readonly tcpMemoryBytes: number;
  readonly tcpPressureBytes: number;
  readonly tcpMaxBytes: number;
  /** TCP sockets that no process holds any more, and the most there may be. */
  readonly tcpOrphans: number;
  readonly tcpMaxOrphans: number;
  readonly tcpTimeWait: number;
}

/** Reads them all, about 100 µs. */
export function readNetworkGauges(): NetworkGauges {
  const { pageBytes, tcp } = readSocketMemory();
  const { orphans, timeWait } = parseOrphans(contentOf("/proc/net/sockstat"));
  return {
    conntrackCount: sysctlNumber("net.netfilter.nf_conntrack_count") ?? NaN,
    conntrackMax: sysctlNumber("net.netfilter.nf_conntrack_max") ?? NaN,
    tcpMemoryBytes: (tcp?.used ?? NaN) * pageBytes,
    tcpPressureBytes: (tcp?.pressure ?? NaN) * pageBytes,
    tcpMaxBytes: (tcp?.max ?? NaN) * pageBytes,
    tcpOrphans: orphans,
    tcpMaxOrphans: sysctlNumber("net.ipv4.tcp_max_orphans") ?? NaN,
    tcpTimeWait: timeWait,
  };
}

/** What the TCP line of `/proc/net/sockstat` says of them; NaN for what is not there. */
export function parseOrphans(text: string): { orphans: number; timeWait: number } {
  const line = /^TCP: .*$/m.exec(text)?.[0] ?? "";
  const figure = (name: string) => Number(new RegExp(`\\b${name} (\\d{1,15})\\b`).exec(line)?.[1]);
  return { orphans: figure("orphan"), timeWait: figure("tw") };
}
