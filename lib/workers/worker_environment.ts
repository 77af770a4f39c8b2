import { availableParallelism } from "node:os";

/** The variables that a process begins with. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of processes that run much code each, such as libp2p. Where they are more than the
 * cores, the last tier of the engine's compiler, FTL, is off unless the user says otherwise: each
 * process compiles the same for itself, which takes more than it ever gives back. 20 nodes of p2p spent
 * a fifth of their CPU on it more than a minute after their start, with a p99 of delivery five times as
 * long; 8 processes of the WAMP probe were late for it. To small loops, such as those of `holdfast
 * client`, FTL gives up to a fifth.
 *
 * @param own that of this process; undefined where they are to have just that.
 * @param processes how many are started.
 */
export function workerEnvironment(
  own: Environment | undefined,
  processes: number,
  cores: number = availableParallelism(),
): Environment | undefined {
  return own !== undefined && processes > cores ? { BUN_JSC_useFTLJIT: "0", ...own } : own;
}
