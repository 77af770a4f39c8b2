import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { ignoreIcmpErrors } from "../host/libc.ts";

/** `sl: local_address:port remote st queues timer retrnsmt uid timeout inode …`: proc(5). */
const row = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) (?:\S+ +){7}(\d+) /;

/**
 * Keeps ICMP errors from the UDP sockets of this process that are bound to one of `ports`.
 *
 * The runtime asks for those errors, and takes one that a client's closed port causes for a full
 * socket: the whole endpoint then sends nothing for a second, and again with the next error. One
 * client that is killed would stop all others of its port for as long as its session lives. The
 * runtime does not tell the descriptors of its sockets; they are found by their inodes.
 *
 * @returns for how many sockets that worked: 0 where there is no `/proc` or no libc.
 */
export function quietIcmpErrors(ports: ReadonlySet<number>): number {
  const inodes = new Set([...inodesOf("udp", ports), ...inodesOf("udp6", ports)]);
  if (inodes.size === 0) return 0;
  let quiet = 0;
  for (const name of namesIn("/proc/self/fd")) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/self/fd/${name}`))?.[1];
    if (inode !== undefined && inodes.has(inode) && ignoreIcmpErrors(Number(name))) quiet++;
  }
  return quiet;
}

function inodesOf(table: string, ports: ReadonlySet<number>): string[] {
  let text = "";
  try {
    text = readFileSync(`/proc/net/${table}`, "latin1");
  } catch {
    return []; // not Linux
  }
  return text.split("\n").flatMap((line) => {
    const match = row.exec(line);
    return match !== null && ports.has(parseInt(match[1]!, 16)) ? [match[2]!] : [];
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed since the directory was read
  }
}
