import { isLocalAddress } from "../host/local_addresses.ts";
import type { Failure } from "../stats/failure.ts";
import type { NativeFailures } from "./native_failure.ts";

/** Source pairs that one connect tries before it gives up: others may use ports of this range. */
export const maxSourceTries = 256;

/**
 * The failure to bind a socket to a source address, which it names.
 *
 * @param code what the system said.
 * @returns undefined where only the port is in the way, so that the next pair may do.
 */
export function bindFailure(
  code: string,
  address: string,
  failures: NativeFailures,
): Failure | undefined {
  if (code !== "EADDRNOTAVAIL" || isLocalAddress(address)) return undefined;
  return failures.named(`EADDRNOTAVAIL bind ${address},`, "host-ports");
}
