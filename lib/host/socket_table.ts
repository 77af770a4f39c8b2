import { contentOf } from "./kernel_file.ts";

/** States of a TCP socket that matter here: include/net/tcp_states.h. */
export const tcpStates = { timeWait: 6, close: 7, listen: 10 } as const;

/** One socket of `/proc/net/tcp` and its like. */
export interface SocketRow {
  /** The address as the kernel writes it: {@link addressWords}. */
  readonly localWords: string;
  readonly localPort: number;
  readonly remoteWords: string;
  readonly remotePort: number;
  readonly state: number;
}

/** `  sl: local:port remote:port st …`, addresses as 32-bit words in hexadecimal: proc(5). */
const row =
  /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /gm;

/**
 * The sockets of this network namespace, IPv4 and IPv6; none where there are no such tables (not
 * Linux). About 1 µs per socket.
 */
export function* readSocketTable(protocol: "tcp" | "udp"): Generator<SocketRow> {
  yield* parseSocketRows(contentOf(`/proc/net/${protocol}`));
  yield* parseSocketRows(contentOf(`/proc/net/${protocol}6`));
}

/** The rows of one table; lines that are none are skipped. */
export function* parseSocketRows(text: string): Generator<SocketRow> {
  for (const [, local = "", localPort, remote = "", remotePort, state] of text.matchAll(row)) {
    yield {
      localWords: withoutMapping(local),
      localPort: parseInt(localPort!, 16),
      remoteWords: withoutMapping(remote),
      remotePort: parseInt(remotePort!, 16),
      state: parseInt(state!, 16),
    };
  }
}

const mappedPrefix = "0000000000000000FFFF0000";

/** An IPv4 address in an IPv6 socket as the IPv4 address. */
function withoutMapping(words: string): string {
  return words.startsWith(mappedPrefix) ? words.slice(mappedPrefix.length) : words;
}

/** Whether they stand for every address, of whichever family. */
export function isWildcard(words: string): boolean {
  return /^0+$/.test(words);
}

/**
 * An address as the tables write it: 32-bit words in the order of the host's bytes (both
 * architectures that there are executables for are little-endian).
 *
 * @param address in canonical form: `127.0.0.1`, `2001:db8::1`.
 * @returns undefined for what is no address.
 */
export function addressWords(address: string): string | undefined {
  const bytes = address.includes(":") ? ipv6Bytes(address) : ipv4Bytes(address);
  if (bytes === undefined) return undefined;
  let words = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (let byte = 3; byte >= 0; byte--) {
      words += bytes[word + byte]!.toString(16).padStart(2, "0");
    }
  }
  return words.toUpperCase();
}

function ipv4Bytes(address: string): number[] | undefined {
  const bytes = address.split(".").map(Number);
  const isAddress = /^\d{1,3}(\.\d{1,3}){3}$/.test(address) && bytes.every((byte) => byte <= 255);
  return isAddress ? bytes : undefined;
}

function ipv6Bytes(address: string): number[] | undefined {
  const [head = "", tail, ...rest] = address.split("::");
  const groupsOf = (part: string) => part === "" ? [] : part.split(":");
  const [before, after] = [groupsOf(head), groupsOf(tail ?? "")];
  const missing = 8 - before.length - after.length;
  if (rest.length > 0 || (tail === undefined ? missing !== 0 : missing < 0)) return undefined;
  const groups = [...before, ...Array<string>(missing).fill("0"), ...after];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.flatMap((group) => {
    const value = parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
