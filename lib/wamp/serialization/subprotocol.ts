import type { Serializer, SerializerName } from "./serializer.ts";
import { serializerOf } from "./serializers.ts";

/** What client and router agree on in the opening handshake of a WebSocket. */
export interface Subprotocol {
  /** As `Sec-WebSocket-Protocol` has it. */
  readonly name: string;
  readonly serializer: Serializer;
  /** Whether a WebSocket message carries several WAMP messages. */
  readonly isBatched: boolean;
}

/** The subprotocol of a serializer; JSON is never batched. */
export function subprotocolOf(name: SerializerName, isBatched = false): Subprotocol {
  return {
    name: `wamp.2.${name}${isBatched ? ".batched" : ""}`,
    serializer: serializerOf(name),
    isBatched,
  };
}

/** All that are spoken here. */
export const subprotocols: readonly Subprotocol[] = [
  subprotocolOf("json"),
  subprotocolOf("msgpack"),
  subprotocolOf("cbor"),
  subprotocolOf("msgpack", true),
  subprotocolOf("cbor", true),
];

/**
 * The first of what a client offers that is spoken here.
 *
 * @param offered the value of `Sec-WebSocket-Protocol`.
 */
export function chooseSubprotocol(offered: string): Subprotocol | undefined {
  for (const name of offered.split(",")) {
    const found = subprotocols.find((subprotocol) => subprotocol.name === name.trim());
    if (found !== undefined) return found;
  }
  return undefined;
}
