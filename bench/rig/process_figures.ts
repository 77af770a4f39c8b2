import { readFileSync } from "node:fs";

/** Ticks a second in /proc (`USER_HZ`): 100 on every Linux, whatever the kernel's own clock. */
const ticksPerSecond = 100;

export interface ProcessMemory {
  readonly rssBytes: number;
  /** The part of it that no file backs: heap and stacks, without the executable itself. */
  readonly anonymousBytes: number;
  /** The most that `rssBytes` has been. */
  readonly peakRssBytes: number;
}

/** Memory of a process, from `/proc/<pid>/status` (proc_pid_status(5)). */
export function readMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const bytesOf = (name: string) => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status);
    return match === null ? NaN : Number(match[1]) * 1024;
  };
  return {
    rssBytes: bytesOf("VmRSS"),
    anonymousBytes: bytesOf("RssAnon"),
    peakRssBytes: bytesOf("VmHWM"),
  };
}

/** What the kernel uses itself, from `/proc/meminfo` (proc_meminfo(5)): sockets are among it. */
export function readKernelMemory(): number {
  const text = readFileSync("/proc/meminfo", "latin1");
  const kinds = /^(?:SReclaimable|SUnreclaim|Percpu|KernelStack|PageTables):\s+(\d+) kB$/gm;
  return [...text.matchAll(kinds)].reduce((sum, [, kB]) => sum + Number(kB) * 1024, 0);
}

/** CPU seconds of all threads of a process, from `/proc/<pid>/stat`; in steps of 10 ms. */
export function readCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name in parentheses may contain anything; the third field follows it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** CPU seconds of everything on this machine since boot, without idling and waiting for disks. */
function readMachineCpuSeconds(): number {
  const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = first
    .trim().split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/** CPU of some processes and of the machine at one instant. */
export interface CpuReading {
  readonly atMs: number;
  readonly processSeconds: readonly number[];
  readonly machineSeconds: number;
}

export function readCpu(pids: readonly number[]): CpuReading {
  return {
    atMs: performance.now(),
    processSeconds: pids.map(readCpuSeconds),
    machineSeconds: readMachineCpuSeconds(),
  };
}

/** Cores in use between two readings: 1 is one core all the time. */
export interface CpuUse {
  readonly processes: readonly number[];
  /** All other processes of this machine together. */
  readonly others: number;
}

/** NaN everywhere when there is no time between the readings. */
export function cpuUse(from: CpuReading, to: CpuReading): CpuUse {
  const seconds = (to.atMs - from.atMs) / 1000;
  const cores = (before: number, after: number) => seconds > 0 ? (after - before) / seconds : NaN;
  const processes = to.processSeconds.map((after, i) => cores(from.processSeconds[i]!, after));
  const own = processes.reduce((sum, each) => sum + each, 0);
  const all = cores(from.machineSeconds, to.machineSeconds);
  // The two sources count in different ways, so that a quiet machine may come out below 0.
  return { processes, others: Math.max(0, all - own) };
}
