import { BroadcastNode } from "./broadcast_node.ts";
import type { StartNode } from "./running_node.ts";

/** Starts a node of a benchmark. */
export const startNode: StartNode = (settings, observer) => BroadcastNode.start(settings, observer);
