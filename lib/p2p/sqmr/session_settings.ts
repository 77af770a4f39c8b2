import { UsageError } from "../../errors.ts";
import type { Connection, Stream } from "../network/libp2p_types.ts";
import type { NetworkSettings } from "../network/network.ts";
import { maximumMessageBytes } from "./framing.ts";

/** Stream protocols of the benchmark; both are served, and a peer that knows both is asked for the first. */
export const sqmrProtocols: readonly string[] = ["/stress-test/1.0.0", "/stress-test/0.1.0"];

/** A session that has not come that far after this long is given up. */
export const sessionTimeoutMs = 120_000;

/**
 * Bytes that may wait to be sent, beside `bufferSize` messages: 100,000 messages of 1 MiB would be
 * more than the memory of most hosts.
 */
export const maximumQueuedBytes = 256 * 2 ** 20;

/** @throws {UsageError} a message that SQMR does not carry. */
export function checkMessageBytes({ protocol, messageBytes }: NetworkSettings): void {
  if (messageBytes <= maximumMessageBytes) return;
  throw new UsageError(
    `--message-size-bytes ${messageBytes} is too large for ${protocol}; it carries at most ` +
      `${maximumMessageBytes} bytes (1 MiB): choose a smaller size, or --network-protocol gossipsub`,
  );
}

/**
 * Opens a stream of the benchmark's protocols.
 *
 * @param protocols those that the peer may know: one where it has answered before, which saves a
 * question.
 */
export function openSession(
  connection: Connection,
  protocols: readonly string[],
  signal: AbortSignal,
): Promise<Stream> {
  return connection.newStream([...protocols], { signal, maxOutboundStreams: 100_000 });
}

/** Whether the peer has said that it knows none of the protocols. */
export function isRefusal(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "UnsupportedProtocolError";
}
