import { cpus } from "node:os";
import {
  type InterfaceBytes,
  readInterfaceBytes,
  TrafficMeter,
} from "../../host/interface_bytes.ts";
import { type KernelCounters, parseTableCounters } from "../../host/kernel_counters.ts";
import { contentOf } from "../../host/kernel_file.ts";
import { type MemoryFigures, readMemoryFigures } from "../../host/memory_figures.ts";
import { nowNs } from "../../stats/clock.ts";
import { readProcessUsage } from "../../stats/process_usage.ts";
import type { ProcessUsage } from "../../stats/snapshot.ts";

/** This process and its host. Figures that the system does not tell are NaN. */
export interface SystemFigures {
  /** Of the last interval: 100 is one core, so that several threads can exceed it. */
  readonly processCpuPercent: number;
  readonly processMemoryBytes: number;
  readonly processVirtualMemoryBytes: number;
  readonly totalMemoryBytes: number;
  readonly availableMemoryBytes: number;
  /** Total less available. */
  readonly usedMemoryBytes: number;
  /** Logical ones, of the host. */
  readonly cpuCount: number;
  /** All interfaces of the network namespace but loopback and ifb, since they came up. */
  readonly networkBytes: InterfaceBytes;
  /** Of the last interval. */
  readonly networkBytesCurrent: InterfaceBytes;
  /** Of the network namespace since it was made; those sent again are not among those sent. */
  readonly tcpSegmentsOut: number;
  readonly tcpSegmentsRetransmitted: number;
  /** Of the last interval: segments sent again per hundred sent; 0 where none were sent. */
  readonly tcpRetransmitPercent: number;
}

/** What the kernel tells at one instant. */
export interface SystemReadings {
  readonly usage: Pick<ProcessUsage, "cpuUserSeconds" | "cpuSystemSeconds" | "rssBytes">;
  readonly memory: MemoryFigures;
  readonly interfaces: ReadonlyMap<string, InterfaceBytes>;
  /** With those of TCP. */
  readonly counters: KernelCounters;
}

/** Reads `/proc`; about 0.2 ms. */
export function readSystem(): SystemReadings {
  const counters = new Map<string, number>();
  parseTableCounters(contentOf("/proc/net/snmp"), counters);
  return {
    usage: readProcessUsage(),
    memory: readMemoryFigures(),
    interfaces: readInterfaceBytes(),
    counters,
  };
}

const intervalMs = 1_000;

/** Reads the figures of the process and its host once a second, whether somebody asks or not. */
export class SystemMonitor {
  readonly #read: () => SystemReadings;
  readonly #now: () => number;
  readonly #cpuCount = cpus().length;
  readonly #traffic = new TrafficMeter();
  readonly #timer: ReturnType<typeof setInterval>;
  #atNs: number;
  #readings: SystemReadings;
  #figures: SystemFigures;

  /**
   * Begins. Its timer does not keep the process alive.
   *
   * @param now a monotonic clock in nanoseconds.
   */
  constructor(read = readSystem, now = nowNs) {
    this.#read = read;
    this.#now = now;
    this.#atNs = now();
    this.#readings = read();
    this.#traffic.take(this.#readings.interfaces);
    this.#figures = this.#figuresSince(this.#readings, 0);
    this.#timer = setInterval(() => this.takeReading(), intervalMs);
    this.#timer.unref();
  }

  /** Those of the last reading. */
  figures(): SystemFigures {
    return this.#figures;
  }

  /** Ends an interval and begins the next. */
  takeReading(): void {
    const before = this.#readings;
    const atNs = this.#now();
    this.#readings = this.#read();
    this.#traffic.take(this.#readings.interfaces);
    this.#figures = this.#figuresSince(before, (atNs - this.#atNs) / 1e9);
    this.#atNs = atNs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #figuresSince(before: SystemReadings, seconds: number): SystemFigures {
    const { usage, memory, counters } = this.#readings;
    const tcp = (of: SystemReadings, name: string) => of.counters.get(`Tcp.${name}`) ?? NaN;
    const out = tcp(this.#readings, "OutSegs") - tcp(before, "OutSegs");
    const again = tcp(this.#readings, "RetransSegs") - tcp(before, "RetransSegs");
    const cpuSeconds = cpuSecondsOf(usage) - cpuSecondsOf(before.usage);
    return {
      processCpuPercent: seconds > 0 ? (cpuSeconds / seconds) * 100 : 0,
      processMemoryBytes: usage.rssBytes,
      processVirtualMemoryBytes: memory.virtualBytes,
      totalMemoryBytes: memory.totalBytes,
      availableMemoryBytes: memory.availableBytes,
      usedMemoryBytes: memory.usedBytes,
      cpuCount: this.#cpuCount,
      networkBytes: this.#traffic.total,
      networkBytesCurrent: this.#traffic.current,
      tcpSegmentsOut: counters.get("Tcp.OutSegs") ?? NaN,
      tcpSegmentsRetransmitted: counters.get("Tcp.RetransSegs") ?? NaN,
      tcpRetransmitPercent: out === 0 ? 0 : (again / out) * 100,
    };
  }
}

function cpuSecondsOf(usage: SystemReadings["usage"]): number {
  return usage.cpuUserSeconds + usage.cpuSystemSeconds;
}
