import {
  difference,
  type KernelCounters,
  telltaleCounters,
  telltales,
} from "../../lib/host/kernel_counters.ts";
import { formatCount } from "../../lib/stats/figures.ts";

/** Every run ends many connections in these ways: they explain nothing. */
const usual = ["Tcp.EstabResets", "Tcp.OutRsts"];

/**
 * What the kernel refused, dropped and sent again between two readings, a line each. The counters
 * are those of the whole host: other programs add to them.
 */
export function kernelLines(before: KernelCounters, after: KernelCounters): string[] {
  return [...telltales(difference(before, after))]
    .filter(([name]) => !usual.includes(name))
    .map(([name, count]) =>
      `  - kernel, for all programs: ${formatCount(count)} ${telltaleCounters.get(name)} (${name})`
    );
}
