import type { SessionKeeper } from "../session/session_keeper.ts";

/** Between two sessions that are closed, so that the balancer counts each before the next comes. */
const paceMs = 15;

/**
 * Closes sessions on nodes that have more than an even share, one after the other: a balancer that
 * counts connections (`leastconn`) sends each to the emptiest node.
 *
 * @param nodes those that serve, all of them.
 */
export async function rebalance(
  keeper: SessionKeeper,
  nodes: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const most = Math.ceil(keeper.capacity / nodes.length);
  const counts = new Map(nodes.map((node) => [node, 0]));
  for (let id = 0; id < keeper.capacity && !signal.aborted; id++) {
    const node = keeper.nodeOf(id);
    if (node === undefined) continue;
    const count = (counts.get(node) ?? 0) + 1;
    if (count <= most) {
      counts.set(node, count);
      continue;
    }
    keeper.recycle(id);
    await Bun.sleep(paceMs);
  }
}
