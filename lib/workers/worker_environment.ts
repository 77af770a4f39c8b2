import { availableParallelism } from "node:os";

/** The variables that a process begins with. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What the engine of a process does in the background for its own good, and many processes do to each
 * other's harm, unless the user says otherwise. 20 nodes of p2p on two cores, each with its part:
 * - The last tier of the compiler, FTL, compiles the same in each of them, which takes more than it
 *   ever gives back: a fifth of their CPU more than a minute after their start, with a p99 of delivery
 *   five times as long; 8 processes of the WAMP probe were late for it. To small loops, such as those of
 *   `holdfast client`, FTL gives up to a fifth.
 * - A timer collects garbage once a second whether there is much or not: two thirds of all collections,
 *   and a p99 of delivery that is half as long again to nine times as long. What is allocated sees to
 *   the others.
 * - A thread of the allocator gives memory that is free back to the system ten times a second: 5 % of
 *   their CPU. Without it a process keeps what it once had.
 */
const quiet: Environment = {
  BUN_JSC_useFTLJIT: "0",
  BUN_GC_TIMER_DISABLE: "1",
  MIMALLOC_PURGE_DELAY: "-1",
};

/**
 * The environment of processes that run much code each, such as libp2p: where they are more than the
 * cores, their engines are quiet.
 *
 * @param own that of this process; undefined where they are to have just that.
 * @param processes how many are started.
 */
export function workerEnvironment(
  own: Environment | undefined,
  processes: number,
  cores: number = availableParallelism(),
): Environment | undefined {
  return own !== undefined && processes > cores ? { ...quiet, ...own } : own;
}
