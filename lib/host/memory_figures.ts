import { freemem, totalmem } from "node:os";
import { contentOf } from "./kernel_file.ts";
import { parseMemAvailable } from "./limits.ts";

/** Memory of the host and the address space of this process, in bytes. */
export interface MemoryFigures {
  readonly totalBytes: number;
  /** What can be used without swapping. */
  readonly availableBytes: number;
  /** The rest. */
  readonly usedBytes: number;
  /** Address space of this process, used or not; NaN where the system does not tell. */
  readonly virtualBytes: number;
}

/** Reads them all, about 100 µs. Where there is no `/proc`, available is what is free. */
export function readMemoryFigures(): MemoryFigures {
  const text = contentOf("/proc/meminfo");
  const totalBytes = parseMemTotal(text) ?? totalmem();
  const availableBytes = parseMemAvailable(text) ?? freemem();
  return {
    totalBytes,
    availableBytes,
    usedBytes: totalBytes - availableBytes,
    virtualBytes: parseVmSize(contentOf("/proc/self/status")) ?? NaN,
  };
}

/** Bytes of the line `MemTotal:  123 kB` of `/proc/meminfo`; undefined where it is missing. */
export function parseMemTotal(text: string): number | undefined {
  return kilobytes(/^MemTotal:\s+(\d{1,12}) kB$/m.exec(text));
}

/** Bytes of the line `VmSize:  123 kB` of `/proc/self/status`; undefined where it is missing. */
export function parseVmSize(text: string): number | undefined {
  return kilobytes(/^VmSize:\s+(\d{1,12}) kB$/m.exec(text));
}

function kilobytes(match: RegExpExecArray | null): number | undefined {
  return match === null ? undefined : Number(match[1]) * 1024;
}
