import { UsageError } from "../errors.ts";
import type { NetworkProtocol } from "./network/network.ts";

/** @throws {UsageError} --forwarding was given, and no protocol of the run forwards. */
export function requireForwarding(protocols: readonly NetworkProtocol[]): void {
  if (protocols.includes("gossipsub")) return;
  throw new UsageError(
    `--forwarding: ${
      protocols.join(", ")
    } forwards nothing; drop it, or use --network-protocol gossipsub`,
  );
}
