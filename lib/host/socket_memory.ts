import { readFileSync } from "node:fs";
import { contentOf, parseWholes, sysctlNumber, sysctlText } from "./kernel_file.ts";
import { capabilities, hasCapability } from "./privileges.ts";

/** `net.ipv4.tcp_mem` or `udp_mem`, and what is used; pages of memory for queued data. */
export interface SocketPages {
  /** From here on the kernel is sparing. */
  readonly pressure: number;
  /** Beyond this it drops. */
  readonly max: number;
  /** The host's sockets, of all network namespaces. */
  readonly used: number;
  readonly min: number;
}

/** Memory for what waits in sockets; undefined: not known here. An idle connection uses none. */
export interface SocketMemoryReadings {
  readonly pageBytes: number;
  readonly tcp: SocketPages | undefined;
  readonly udp: SocketPages | undefined;
  /** `net.core.rmem_*`, `wmem_*`: buffers of a socket in bytes. */
  readonly rmemDefault: number | undefined;
  readonly rmemMax: number | undefined;
  readonly wmemDefault: number | undefined;
  readonly wmemMax: number | undefined;
  /** This process may pass the maxima (CAP_NET_ADMIN). */
  readonly isExempt: boolean;
}

export function readSocketMemory(): SocketMemoryReadings {
  const used = parseSockstat(contentOf("/proc/net/sockstat"));
  return {
    pageBytes: pageBytes(),
    tcp: pagesOf(sysctlText("net.ipv4.tcp_mem"), used.tcp),
    udp: pagesOf(sysctlText("net.ipv4.udp_mem"), used.udp),
    rmemDefault: sysctlNumber("net.core.rmem_default"),
    rmemMax: sysctlNumber("net.core.rmem_max"),
    wmemDefault: sysctlNumber("net.core.wmem_default"),
    wmemMax: sysctlNumber("net.core.wmem_max"),
    isExempt: hasCapability(capabilities.netAdmin),
  };
}

function pagesOf(text: string, used: number | undefined): SocketPages | undefined {
  const [min, pressure, max] = parseWholes(text, 3) ?? [];
  if (min === undefined || pressure === undefined || max === undefined) return undefined;
  return { min, pressure, max, used: used ?? 0 };
}

/** The pages that `/proc/net/sockstat` says are used: `TCP: inuse 1 … mem 209`. */
export function parseSockstat(
  text: string,
): { readonly tcp: number | undefined; readonly udp: number | undefined } {
  const pages = (protocol: string) => {
    const match = new RegExp(`^${protocol}:(?: [a-z]+ \\d+)* mem (\\d{1,15})\\b`, "m").exec(text);
    return match === null ? undefined : Number(match[1]);
  };
  return { tcp: pages("TCP"), udp: pages("UDP") };
}

const atPageSize = 6n; // getauxval(3)
const usualPageBytes = 4096;

/** The size of a page, which arm64 kernels choose. */
function pageBytes(): number {
  try {
    return parseAuxv(readFileSync("/proc/self/auxv")) ?? usualPageBytes;
  } catch {
    return usualPageBytes;
  }
}

/** The page size among pairs of 64-bit words, key and value: `/proc/self/auxv`, proc(5). */
export function parseAuxv(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    if (view.getBigUint64(at, true) !== atPageSize) continue;
    const size = Number(view.getBigUint64(at + 8, true));
    return size >= 4096 && size <= 2 ** 20 ? size : undefined;
  }
  return undefined;
}
