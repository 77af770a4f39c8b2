import { UsageError } from "../errors.ts";
import { nowNs } from "../stats/clock.ts";
import { formatElapsed } from "../stats/figures.ts";

/** So long before the instant the run is handed over to the monotonic clock. */
const leadMs = 250;
/** The time of day may be set while this waits: it is looked at again this often. */
const longestSleepMs = 1000;

/**
 * Checks that an instant lies ahead.
 *
 * @param atMs since 1970, as `--start-at` gives it.
 * @throws {UsageError} it is in the past.
 */
export function requireFuture(atMs: number): void {
  const lateMs = Date.now() - atMs;
  if (lateMs <= 0) return;
  throw new UsageError(
    `--start-at ${new Date(atMs).toISOString()} was ${formatElapsed(lateMs)} ago; ` +
      `give an instant in the future`,
  );
}

/**
 * Waits until shortly before an instant; an abort of the signal ends the wait.
 *
 * @returns the instant on the monotonic clock of this process, which no setting of the time of day
 * changes. It is exact to the millisecond, the resolution of the time of day.
 */
export async function awaitInstant(atMs: number, signal: AbortSignal): Promise<number> {
  for (;;) {
    const restMs = atMs - Date.now();
    if (signal.aborted) return nowNs();
    if (restMs <= leadMs) return nowNs() + Math.max(0, restMs) * 1e6;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(wake, Math.min(restMs - leadMs, longestSleepMs));
      signal.addEventListener("abort", wake);
      function wake() {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      }
    });
  }
}
