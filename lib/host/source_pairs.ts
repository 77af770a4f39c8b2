import { contentOf } from "./kernel_file.ts";
import { type EphemeralPorts, ephemeralPorts, reservedPorts } from "./limits.ts";
import { SourceTable } from "./source_table.ts";
import { type ConnectionTarget, isLoopbackAddress } from "./used_ports.ts";

/** Where connections go, and how they find their sources. */
export interface SourceQuestion {
  /** Of UDP sockets, QUIC included, or of TCP ones. */
  readonly protocol: "tcp" | "udp";
  /** Undefined: somewhere that no connection of this host leads to yet. */
  readonly target?: ConnectionTarget | undefined;
  /** The source that the route to the target has; undefined: not known. */
  readonly routeAddress?: string | undefined;
  /** Addresses that sockets are bound to in turn (`--source`); undefined: to none. */
  readonly addresses?: readonly string[] | undefined;
  /** Ports that they are bound to (`--source-ports`); undefined: those of the kernel's range. */
  readonly ports?: EphemeralPorts | undefined;
}

/** How many sources there are towards a target: pairs of address and port. */
export interface SourceReadings {
  readonly range: EphemeralPorts;
  /** It is `net.ipv4.ip_local_port_range`, not one that was asked for. */
  readonly isKernelsRange: boolean;
  /** `net.ipv4.ip_local_reserved_ports` keeps so many of the range from the kernel's choice. */
  readonly reservedPorts: number;
  /** Source addresses that take turns. */
  readonly addresses: number;
  /** The client takes these addresses by itself, where one is not enough: 127.0.0.0/8. */
  readonly isSpread: boolean;
  /** Pairs that another connection to the target can have now. */
  readonly free: number;
  /** Pairs that none can have, because sockets do. */
  readonly inUse: number;
  /** Sockets of this network namespace in TIME_WAIT, which keep their ports for a minute. */
  readonly timeWait: number;
}

/** A table of sources holds as many addresses. */
const mostAddresses = 65_536;

/**
 * Counts the sources in this network namespace; undefined where the kernel does not tell.
 *
 * A TCP port that the kernel chooses is in the way only of connections from the same address to the
 * same target, or where a socket listens on it. Every UDP port has to be free on all addresses,
 * unless sockets are bound to one.
 */
export function readSources(question: SourceQuestion): SourceReadings | undefined {
  const { protocol, target, routeAddress, ports } = question;
  const range = ports ?? ephemeralPorts();
  if (range === undefined || contentOf("/proc/net/sockstat") === "") return undefined;
  const isIPv6 = (question.addresses?.[0] ?? target?.addresses[0])?.includes(":") ?? false;
  const wildcard = isIPv6 ? "::" : "0.0.0.0";
  const isKernelsChoice = ports === undefined && question.addresses === undefined;
  const isOfRoute = isKernelsChoice && protocol === "tcp" && routeAddress !== undefined;
  const addresses = question.addresses ?? [isOfRoute ? routeAddress : wildcard];
  const exceptPorts = ports === undefined ? reservedPorts() : [];
  const table = new SourceTable({
    protocol,
    addresses,
    firstPort: range.first,
    lastPort: range.last,
    exceptPorts,
    target: target ?? { addresses: [], port: 0 },
  });
  const reserved = countWithin(exceptPorts, range);
  const whole = range.last - range.first + 1 - reserved;
  const isSpread = isKernelsChoice &&
    (target?.addresses.some((address) => address.startsWith("127.")) ?? false) &&
    isLoopbackAddress(target!.addresses[0]!);
  const free = table.free(isIPv6);
  return {
    range,
    isKernelsRange: ports === undefined,
    reservedPorts: reserved,
    addresses: isSpread ? mostAddresses : addresses.length,
    isSpread,
    free: isSpread ? free + whole * (mostAddresses - 1) : free,
    inUse: whole * addresses.length - free,
    timeWait: parseTimeWait(contentOf("/proc/net/sockstat")) ?? 0,
  };
}

function countWithin(ranges: readonly EphemeralPorts[], { first, last }: EphemeralPorts): number {
  const ports = new Set<number>();
  for (const range of ranges) {
    for (let port = Math.max(first, range.first); port <= Math.min(last, range.last); port++) {
      ports.add(port);
    }
  }
  return ports.size;
}

/** The field `tw` of the line `TCP: inuse 1 orphan 0 tw 12 alloc 1 mem 209`. */
export function parseTimeWait(sockstat: string): number | undefined {
  const match = /^TCP:.* tw (\d{1,9})\b/m.exec(sockstat);
  return match === null ? undefined : Number(match[1]);
}
