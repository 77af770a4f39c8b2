import { readdirSync, readFileSync, statSync } from "node:fs";
import { readMemory } from "../rig/process_figures.ts";

/** A process and all that it has started, and these in turn, that live now; ascending. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(name);
    if (parent === undefined) continue;
    children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  const tree: number[] = [];
  for (const queue = [root]; queue.length > 0;) {
    const pid = queue.pop()!;
    tree.push(pid);
    queue.push(...children.get(pid) ?? []);
  }
  return tree.sort((a, b) => a - b);
}

/** From `/proc/<pid>/stat`; undefined for a process that has just ended. */
function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may contain anything; state and parent follow it.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** Memory of several processes together. */
export interface TreeMemory {
  readonly processes: number;
  /** Pages that they share, such as the executable's, count once for each of them. */
  readonly rssBytes: number;
  /** Each page that they share counts once, in equal parts (PSS). */
  readonly proportionalBytes: number;
  /** Pages that no file backs: heap and stacks. */
  readonly anonymousBytes: number;
  /** Descriptors of the process that has most. */
  readonly mostFds: number;
}

/** Processes that have ended meanwhile count as nothing. */
export function treeMemory(pids: readonly number[]): TreeMemory {
  let [processes, rssBytes, proportionalBytes, anonymousBytes, mostFds] = [0, 0, 0, 0, 0];
  for (const pid of pids) {
    try {
      const memory = readMemory(pid);
      proportionalBytes += proportionalOf(pid);
      rssBytes += memory.rssBytes;
      anonymousBytes += memory.anonymousBytes;
      // Since Linux 6.2 the size of this folder is the number of descriptors.
      mostFds = Math.max(mostFds, statSync(`/proc/${pid}/fd`).size);
      processes++;
    } catch {
      // It is gone.
    }
  }
  return { processes, rssBytes, proportionalBytes, anonymousBytes, mostFds };
}

/** The least of each figure. */
export function leastMemory(readings: readonly TreeMemory[]): TreeMemory {
  const least = (figure: keyof TreeMemory) =>
    readings.reduce((found, reading) => Math.min(found, reading[figure]), Infinity);
  return {
    processes: least("processes"),
    rssBytes: least("rssBytes"),
    proportionalBytes: least("proportionalBytes"),
    anonymousBytes: least("anonymousBytes"),
    mostFds: least("mostFds"),
  };
}

/** From `/proc/<pid>/smaps_rollup`. */
function proportionalOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1]) * 1024;
}
