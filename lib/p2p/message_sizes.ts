import { UsageError } from "../errors.ts";
import { headerBytes } from "./message.ts";
import type { NetworkProtocol } from "./network/network.ts";

const mib = 2 ** 20;

/** The largest message that a protocol carries, header included. */
export function largestMessageBytes(protocol: NetworkProtocol): number {
  return protocol === "gossipsub" ? 4 * mib : mib;
}

/** @throws {UsageError} a message of this size has no room for its header, or is not carried. */
export function requireMessageSize(messageBytes: number, protocol: NetworkProtocol): void {
  if (messageBytes < headerBytes) {
    throw new UsageError(
      `--message-size-bytes ${messageBytes} has no room for the header; write ${headerBytes} or more`,
    );
  }
  const largest = largestMessageBytes(protocol);
  if (messageBytes > largest) {
    throw new UsageError(
      `--message-size-bytes ${messageBytes}: ${protocol} carries messages up to ${largest} bytes ` +
        `(${largest / mib} MiB); make them smaller` +
        (messageBytes <= 4 * mib ? ", or use --network-protocol gossipsub" : ""),
    );
  }
}
