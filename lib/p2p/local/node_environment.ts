type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of the processes of nodes: without the last tier of the engine's compiler, FTL,
 * unless the user says otherwise. It pays for itself in one long computation; many nodes on a few cores
 * spend more on it than it gives: with 20 of them a fifth of all CPU, and a p99 of delivery five times
 * as long, more than a minute after their start.
 */
export function nodeEnvironment(own: Environment): Environment {
  return { BUN_JSC_useFTLJIT: "0", ...own };
}
