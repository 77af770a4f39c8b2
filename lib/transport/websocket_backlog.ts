import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setListenBacklog } from "../host/libc.ts";

/** State of a listening socket in `/proc/net/tcp` (TCP_LISTEN of Linux). */
const listening = "0A";

/**
 * Lengthens the accept queue of this process's listening sockets on a port. `Bun.serve` fixes it at
 * 512 and does not tell its descriptor, which is found by the inode that `/proc` gives for it
 * (proc_pid_net(5)).
 *
 * @returns how many sockets were changed; 0 where there is no `/proc`.
 */
export function raiseBacklog(port: number, backlog: number): number {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return 0;
  let changed = 0;
  for (const name of entries("/proc/self/fd")) {
    if (inodes.has(socketInode(name)) && setListenBacklog(Number(name), backlog)) changed++;
  }
  return changed;
}

function listeningInodes(port: number): Set<string> {
  const inodes = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const file of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
    for (const line of text(file).split("\n")) {
      // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
      const fields = line.trim().split(/\s+/, 10);
      if (fields[3] === listening && fields[1]?.endsWith(suffix)) inodes.add(fields[9]!);
    }
  }
  return inodes;
}

function socketInode(name: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${name}`))?.[1] ?? "";
  } catch {
    return ""; // closed since the directory was read
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
