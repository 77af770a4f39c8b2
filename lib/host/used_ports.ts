import { readFileSync } from "node:fs";

const socketTables = ["tcp", "tcp6", "udp", "udp6"] as const;

/**
 * Local addresses and ports that sockets of this network namespace hold, connected ones and those
 * in TIME_WAIT included.
 */
export class UsedPorts {
  readonly #byAddress = new Map<string, Set<number>>();
  readonly #everywhere = new Set<number>();

  /** @param address in canonical form; `""` for a socket that holds the port on all of them. */
  add(address: string, port: number): void {
    if (address === "") {
      this.#everywhere.add(port);
      return;
    }
    const ports = this.#byAddress.get(address);
    if (ports === undefined) this.#byAddress.set(address, new Set([port]));
    else ports.add(port);
  }

  /** @param address in canonical form ({@link canonicalAddress}). */
  has(address: string, port: number): boolean {
    return this.#everywhere.has(port) || (this.#byAddress.get(address)?.has(port) ?? false);
  }
}

/**
 * Reads `/proc/net/{tcp,tcp6,udp,udp6}`; about 2 µs per socket of the host. A file that is not
 * there (not Linux) counts as empty.
 */
export function readUsedPorts(protocol: "tcp" | "udp"): UsedPorts {
  const used = new UsedPorts();
  for (const table of socketTables) {
    if (!table.startsWith(protocol)) continue;
    try {
      parseSocketTable(readFileSync(`/proc/net/${table}`, "latin1"), used);
    } catch {
      // No such table: nothing is known of it.
    }
  }
  return used;
}

/** `  sl: local_address:port …`, the address as 32-bit words in hexadecimal: proc(5). */
const row = /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) /;

/** Adds the local ends of a `/proc/net/tcp` table; skips lines that are none. */
export function parseSocketTable(text: string, used: UsedPorts): void {
  for (const line of text.split("\n")) {
    const match = row.exec(line);
    if (match === null) continue;
    used.add(addressOfWords(match[1]!), parseInt(match[2]!, 16));
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
