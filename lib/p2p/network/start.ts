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
      const { startGossipsub } = await import("./gossipsub.ts");
      return await startGossipsub(settings, handlers);
    }
    case "sqmr": {
      const { startSqmr } = await import("../sqmr/start_sqmr.ts");
      return await startSqmr(settings, handlers);
    }
    case "reversed-sqmr": {
      const { startReversedSqmr } = await import("../sqmr/start_sqmr.ts");
      return await startReversedSqmr(settings, handlers);
    }
  }
}
