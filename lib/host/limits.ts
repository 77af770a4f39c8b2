import { freemem } from "node:os";
import { HostLimitError } from "../errors.ts";
import { readControlGroup } from "./control_group.ts";
import { contentOf, parseWhole } from "./kernel_file.ts";
import { fdLimits, openFds, setFdLimits } from "./libc.ts";

/** Descriptors besides those of connections: files, listeners, reports, the runtime's own. */
export const reservedFds = 100;

/** What this host lets a process have, as a report shows it. */
export interface HostLimits {
  /** RLIMIT_NOFILE; Infinity: unlimited, or not known. */
  readonly fdSoftLimit: number;
  readonly fdHardLimit: number;
  /** Descriptors open now; -1: not known. */
  readonly openFds: number;
  /** The ports that the kernel chooses from for outgoing connections; undefined: not known. */
  readonly ephemeralPorts: EphemeralPorts | undefined;
  /** What can still be used without swapping. */
  readonly availableMemoryBytes: number;
}

export interface EphemeralPorts {
  readonly first: number;
  readonly last: number;
}

/** Reads them all; under a millisecond with few descriptors open. */
export function readHostLimits(): HostLimits {
  const { soft, hard } = fdLimits();
  return {
    fdSoftLimit: soft,
    fdHardLimit: hard,
    openFds: openFds(),
    ephemeralPorts: ephemeralPorts(),
    availableMemoryBytes: availableMemoryBytes(),
  };
}

/**
 * Sees to it that the process can hold `connections`: raises the limits as far as it is allowed to
 * (the soft one up to the hard one; both where the process is privileged).
 *
 * @param reserve descriptors that are needed besides.
 * @throws {HostLimitError} the limit stays too low; the message says what to run.
 */
export function ensureFds(connections: number, reserve = reservedFds): void {
  const needed = connections + reserve;
  const { soft, hard } = fdLimits();
  if (needed <= soft) return;
  if (setFdLimits({ soft: needed, hard: Math.max(needed, hard) })) return;
  if (hard > soft) setFdLimits({ soft: hard, hard });
  const ceiling = parseWhole(contentOf("/proc/sys/fs/nr_open")) ?? Infinity;
  const complaint = fdComplaint(connections, reserve, fdLimits().soft, hard, ceiling);
  if (complaint !== undefined) throw new HostLimitError(complaint);
}

/**
 * What is wrong with the limits for so many connections, and the mend; undefined: nothing.
 *
 * @param ceiling `fs.nr_open`, above which no limit can be set.
 */
export function fdComplaint(
  connections: number,
  reserve: number,
  soft: number,
  hard: number,
  ceiling = Infinity,
): string | undefined {
  const needed = connections + reserve;
  if (needed <= soft) return undefined;
  const limit = `ulimit -n ${needed}`;
  const mend = needed <= hard
    ? `run "${limit}" first`
    : needed <= ceiling
    ? `run "${limit}" as root first, which may raise the hard limit of ${hard}`
    : `run "sysctl fs.nr_open=${needed}" and "${limit}" as root first`;
  return `${connections} connections take ${needed} file descriptors, and this process may open ` +
    `${soft}; ${mend}, or ask for at most ${Math.max(0, soft - reserve)} connections`;
}

/** `net.ipv4.ip_local_port_range`, which holds for IPv6 too. */
export function ephemeralPorts(): EphemeralPorts | undefined {
  return parsePortRange(contentOf("/proc/sys/net/ipv4/ip_local_port_range"));
}

/** `net.ipv4.ip_local_reserved_ports`: what the kernel leaves out of the range. */
export function reservedPorts(): readonly EphemeralPorts[] {
  return parsePortList(contentOf("/proc/sys/net/ipv4/ip_local_reserved_ports"));
}

/** Ports and ranges with commas between them, as in `8080,9148-9150`; skips what is neither. */
export function parsePortList(text: string): EphemeralPorts[] {
  return text.trim().split(",").flatMap((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) return [];
    return [{ first: Number(match[1]), last: Number(match[2] ?? match[1]) }];
  });
}

/** Two numbers with space between them; undefined for anything else. */
export function parsePortRange(text: string): EphemeralPorts | undefined {
  const match = /^\s*(\d{1,5})\s+(\d{1,5})\s*$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

/** What can be used without swapping, or less where a control group (a container) allows less. */
export function availableMemoryBytes(): number {
  return Math.min(hostMemoryBytes(), readControlGroup().memory?.free ?? Infinity);
}

/** MemAvailable of `/proc/meminfo`; free memory on other systems. */
export function hostMemoryBytes(): number {
  return parseMemAvailable(contentOf("/proc/meminfo")) ?? freemem();
}

/** Bytes of the line `MemAvailable:  123 kB`; undefined where it is missing. */
export function parseMemAvailable(text: string): number | undefined {
  const match = /^MemAvailable:\s+(\d{1,12}) kB$/m.exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}
