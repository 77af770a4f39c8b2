import { UsageError } from "../../errors.ts";
import type { BroadcastNetwork, NetworkHandlers, NetworkSettings } from "./network.ts";

/**
 * Starts the network of the protocol that the settings name. The code of each is loaded when it is
 * used.
 *
 * @throws {HostLimitError} the port cannot be bound.
 * @throws {UsageError} an address is malformed, or the settings contradict each other.
 */
export async function startNetwork(
  settings: NetworkSettings,
  handlers: NetworkHandlers,
): Promise<BroadcastNetwork> {
  switch (settings.protocol) {
    case "gossipsub": {
      const { startGossipsub } = await import("./gossipsub/gossipsub.ts");
      return await startGossipsub(settings, handlers);
    }
    case "sqmr":
    case "reversed-sqmr":
      throw new UsageError(`--network-protocol ${settings.protocol} cannot be had yet`);
  }
}
