import { closeSync, openSync, readSync } from "node:fs";
import { contentOf } from "./kernel_file.ts";

const socketTables = ["tcp", "tcp6", "udp", "udp6"] as const;

/** Whether a socket can have a local address and port. */
export const portUse = {
  /** No socket has it. */
  free: 0,
  /** Sockets that lead elsewhere have it: a TCP connection may have it too (SO_REUSEADDR). */
  shared: 1,
  taken: 2,
} as const;

export type PortUse = (typeof portUse)[keyof typeof portUse];

/** Ports by address; the wildcard holds its port on every address, and wants it on every one. */
class PortsByAddress {
  readonly byAddress = new Map<string, Set<number>>();
  readonly everywhere = new Set<number>();
  readonly anywhere = new Set<number>();

  add(address: string, port: number): void {
    this.anywhere.add(port);
    if (address === "") {
      this.everywhere.add(port);
      return;
    }
    const ports = this.byAddress.get(address);
    if (ports === undefined) this.byAddress.set(address, new Set([port]));
    else ports.add(port);
  }

  has(address: string, port: number): boolean {
    if (isWildcard(address)) return this.anywhere.has(port);
    return this.everywhere.has(port) || (this.byAddress.get(address)?.has(port) ?? false);
  }
}

/** The address that stands for all of its family, in canonical form. */
export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/**
 * Local addresses and ports that sockets of this network namespace hold, connected ones and those
 * in TIME_WAIT included.
 */
export class UsedPorts {
  readonly #taken = new PortsByAddress();
  readonly #shared = new PortsByAddress();

  /**
   * @param address in canonical form; `""` for a socket that holds the port on all of them.
   * @param isShared the socket leaves room for others with the same address and port.
   */
  add(address: string, port: number, isShared = false): void {
    (isShared ? this.#shared : this.#taken).add(address, port);
  }

  /** @param address in canonical form ({@link canonicalAddress}); a wildcard asks for all. */
  useOf(address: string, port: number): PortUse {
    if (this.#taken.has(address, port)) return portUse.taken;
    return this.#shared.has(address, port) ? portUse.shared : portUse.free;
  }

  /** The ports from `first` to `last` that are taken on an address. */
  takenPorts(address: string, first: number, last: number): number[] {
    const ports = new Set(
      isWildcard(address)
        ? this.#taken.anywhere
        : [...this.#taken.everywhere, ...this.#taken.byAddress.get(address) ?? []],
    );
    return [...ports].filter((port) => port >= first && port <= last);
  }

  /** No socket has any of the ports that were asked for. */
  get isEmpty(): boolean {
    return this.#taken.anywhere.size === 0 && !this.hasShared;
  }

  get hasShared(): boolean {
    return this.#shared.anywhere.size > 0;
  }
}

/** Where connections are to go. */
export interface ConnectionTarget {
  /** IP addresses. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/** Which local ends are of interest. */
export interface LocalEnds {
  readonly firstPort: number;
  readonly lastPort: number;
  /** In canonical form; sockets on the wildcard count too. All where it is left out. */
  readonly addresses?: ReadonlySet<string>;
}

const allPorts: LocalEnds = { firstPort: 0, lastPort: 65_535 };

/**
 * Reads `/proc/net/{tcp,tcp6,udp,udp6}`, piece by piece; 1 to 2 µs per socket of the host, half of it
 * the kernel's. A file that is not there (not Linux) counts as empty.
 *
 * @param target where the new sockets shall lead. TCP connections that lead elsewhere then count as
 * shared, as do those that have ended where the kernel uses their ports again (tcp_tw_reuse).
 */
export function readUsedPorts(
  protocol: "tcp" | "udp",
  target?: ConnectionTarget,
  ends: LocalEnds = allPorts,
): UsedPorts {
  const used = new UsedPorts();
  const isShared = protocol === "tcp" && target !== undefined ? sharingWith(target) : undefined;
  for (const table of socketTables) {
    if (table.startsWith(protocol)) {
      forEachPiece(
        `/proc/net/${table}`,
        (text) => parseSocketTable(text, used, { isShared, ends }),
      );
    }
  }
  return used;
}

/**
 * No more ports than this are in use: the number of sockets, which costs nothing to read however many
 * there are. Infinity where it cannot be known.
 */
export function mostUsedPorts(protocol: "tcp" | "udp"): number {
  return countSockets(
    protocol,
    contentOf("/proc/net/sockstat") + contentOf("/proc/net/sockstat6"),
  );
}

/**
 * Sockets of a protocol from `/proc/net/sockstat` and `sockstat6`, both families. The `alloc` of TCP
 * has those of both that are not in TIME_WAIT.
 */
export function countSockets(protocol: "tcp" | "udp", sockstat: string): number {
  const name = protocol.toUpperCase();
  const lines = [...sockstat.matchAll(new RegExp(`^${name}6?: (.*)$`, "gm"))];
  if (lines.length === 0) return Infinity;
  return lines.reduce((total, [, text = ""]) => {
    const count = (what: string) => Number(new RegExp(`\\b${what} (\\d+)`).exec(text)?.[1] ?? 0);
    return total + Math.max(count("inuse"), count("alloc")) + count("tw");
  }, 0);
}

/** Tells by state and remote end whether a socket leaves its local end to connections to `target`. */
type Sharing = (state: number, remoteAddress: string, remotePort: number) => boolean;

const timeWait = 6;
const listening = 10;

function sharingWith(target: ConnectionTarget): Sharing {
  const addresses = new Set(target.addresses.map((address) => canonicalAddress(address)));
  const reuse = contentOf("/proc/sys/net/ipv4/tcp_tw_reuse").trim();
  const isLoopback = [...addresses].every((address) =>
    address !== undefined && isLoopbackAddress(address)
  );
  const reusesTimeWait = reuse === "1" || (reuse === "2" && isLoopback);
  return (state, remoteAddress, remotePort) => {
    if (state === listening) return false;
    if (state === timeWait && reusesTimeWait) return true;
    return remotePort !== target.port || !addresses.has(remoteAddress);
  };
}

const pieceBytes = 1024 * 1024;

/** Reads a file in pieces of whole lines, and nothing where there is none. */
function forEachPiece(path: string, take: (text: string) => void): void {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return;
  }
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    let rest = "";
    for (;;) {
      const bytes = readSync(fd, buffer, 0, pieceBytes, null);
      const text = rest + buffer.toString("latin1", 0, bytes);
      const end = bytes === 0 ? text.length : text.lastIndexOf("\n") + 1;
      take(text.slice(0, end));
      rest = text.slice(end);
      if (bytes === 0) return;
    }
  } finally {
    closeSync(fd);
  }
}

/** `  sl: local_address:port remote_address:port state …`, addresses as words of 32 bits: proc(5). */
const row =
  /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /;

interface TableReading {
  readonly isShared?: Sharing | undefined;
  readonly ends?: LocalEnds;
}

/** Adds the local ends of a `/proc/net/tcp` table; skips lines that are none. */
export function parseSocketTable(
  text: string,
  used: UsedPorts,
  { isShared, ends = allPorts }: TableReading = {},
): void {
  // Hosts have few local addresses, and perhaps a million sockets.
  const known = new Map<string, string>();
  const localAddress = (words: string) => {
    let address = known.get(words);
    if (address === undefined) known.set(words, address = addressOfWords(words));
    return address;
  };
  for (const line of text.split("\n")) {
    const start = line.indexOf(": ") + 2;
    const end = line.indexOf(":", start);
    const port = parseInt(line.slice(end + 1, end + 5), 16);
    if (!(port >= ends.firstPort && port <= ends.lastPort)) continue;
    const address = localAddress(line.slice(start, end));
    if (address !== "" && ends.addresses?.has(address) === false) continue;
    const match = row.exec(line);
    if (match === null) continue;
    const [, , , remote = "", remotePort = "", state = ""] = match;
    const shared = isShared?.(
      parseInt(state, 16),
      addressOfWords(remote),
      parseInt(remotePort, 16),
    );
    used.add(address, port, shared);
  }
}

/** The words are in the order of the host's bytes; both architectures served are little-endian. */
function addressOfWords(words: string): string {
  if (/^0+$/.test(words)) return "";
  const bytes: number[] = [];
  for (let word = 0; word < words.length; word += 8) {
    for (let byte = 6; byte >= 0; byte -= 2) {
      bytes.push(parseInt(words.slice(word + byte, word + byte + 2), 16));
    }
  }
  if (bytes.length === 4) return bytes.join(".");
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 &&
    bytes[11] === 255;
  if (isMapped) return bytes.slice(12).every((byte) => byte === 0) ? "" : bytes.slice(12).join(".");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! * 256 + bytes[i + 1]!).toString(16));
  return canonicalAddress(groups.join(":")) ?? "";
}

/**
 * The one spelling of an IP address that compares equal: `127.0.0.1`, `::1`; IPv4-mapped addresses
 * as IPv4, without the zone. Undefined for what is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  const address = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    const bytes = address.split(".").map(Number);
    return bytes.every((byte) => byte <= 255) ? bytes.join(".") : undefined;
  }
  if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(address)) return undefined;
  const url = URL.parse(`http://[${address}]/`);
  if (url === null) return undefined;
  const canonical = url.hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** 127.0.0.0/8 and ::1, in canonical form. */
export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
