import { availableMemoryBytes } from "../../lib/host/limits.ts";
import { formatBytes } from "../../lib/stats/figures.ts";
import type { HoldfastServer } from "../rig/holdfast_server.ts";
import type { MillionSettings } from "./arguments.ts";

/** Below this much memory the kernel would soon choose whom to kill. */
export const leastAvailableBytes = 600 * 2 ** 20;
const messageBytes = 64;
const replyTimeoutMs = 30_000;
/** With more processes than cores each waits for its turn. */
const maxScheduleErrorMs = 200;

/** A load in which every connection sends its message in turn, and every answer is compared. */
export function loadArguments(
  server: HoldfastServer,
  { connectsPerSecond, intervalMs }: MillionSettings,
  connections: number,
  workers: number,
): string[] {
  return [
    ...[server.target, "-c", `${connections}`, "--workers", `${workers}`],
    ...["--connect-rate", `${connectsPerSecond}`, "--connect-timeout", "60s"],
    ...["--interval", `${intervalMs}ms`, "--size", `${messageBytes}`, "--verify"],
    ...["--timeout", `${replyTimeoutMs}ms`, "--max-schedule-error", `${maxScheduleErrorMs}ms`],
  ];
}

/** Says that memory is about to run out; undefined where it is not. */
export function memoryShort(): string | undefined {
  const available = availableMemoryBytes();
  if (available >= leastAvailableBytes) return undefined;
  return `memory: ${formatBytes(available)} are left on this host`;
}
