import { formatCores, formatCount, formatElapsed } from "../stats/figures.ts";
import type { WorkerState } from "../stats/snapshot.ts";
import { labelledList } from "./columns.ts";

/** The processes that carried a run out, where there were several, and which of them ended early. */
export function workerLines(workers: readonly WorkerState[] | undefined): string[] {
  if (workers === undefined) return [];
  const shares = workers.flatMap(({ steadyCpuShare }) => steadyCpuShare ?? []);
  const busiest = Math.max(...shares);
  const remark = busiest > 0 ? `, the busiest used ${formatCores(busiest)}` : "";
  return labelledList("workers", [
    `${workers.length} processes${remark}`,
    ...workers.flatMap(({ number, ends }) =>
      ends.map(({ pid, atMs, reason, connections }) =>
        `worker ${number} (pid ${pid}) ended after ${formatElapsed(atMs)}: ${reason}; ` +
        `${formatCount(connections)} connections were lost`
      )
    ),
  ]);
}
