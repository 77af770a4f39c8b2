import { formatBytes, formatDuration } from "../stats/figures.ts";
import type { ProcessUsage } from "../stats/snapshot.ts";

/**
 * What a process used, in one line.
 *
 * @param remark goes between CPU and memory, with its own comma.
 */
export function usageText(usage: ProcessUsage, remark: string): string {
  const seconds = (value: number) => formatDuration(value * 1e9);
  const { cpuUserSeconds, cpuSystemSeconds, rssBytes } = usage;
  return `${seconds(cpuUserSeconds + cpuSystemSeconds)} CPU (${seconds(cpuUserSeconds)} user, ` +
    `${seconds(cpuSystemSeconds)} system)${remark}, ${formatBytes(rssBytes)} RSS`;
}
