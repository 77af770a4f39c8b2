import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { messageOf, UsageError } from "../../errors.ts";
import { parsePeerId } from "../identity.ts";

export type { Multiaddr };

/** Where a peer may be reached. */
export interface PeerAddress {
  readonly multiaddr: Multiaddr;
  /** In base58, where the address ends in `/p2p/…`; else it is known after the first connection. */
  readonly peerId: string | undefined;
}

const examples = {
  tcp: "/ip4/10.0.0.5/tcp/10000/p2p/12D3KooW…",
  quic: "/ip4/10.0.0.5/udp/10000/quic-v1/p2p/12D3KooW…",
};

/** What an address of a transport looks like, for errors. */
export function exampleAddress(quic: boolean): string {
  return quic ? examples.quic : examples.tcp;
}

/**
 * An address of a peer: `/ip4|ip6|dns4|dns6|dns/host/tcp/port`, or `…/udp/port/quic-v1`, with or
 * without `/p2p/…` behind it.
 *
 * @throws {UsageError} it is none, or of the other transport.
 */
export function parsePeerAddress(text: string, quic: boolean): PeerAddress {
  const wrong = (reason: string, cause?: unknown) =>
    new UsageError(
      `"${text}" is no address of a peer: ${reason}; write one such as ${exampleAddress(quic)}`,
      { cause },
    );
  let parsed: Multiaddr;
  try {
    parsed = multiaddr(text);
  } catch (cause) {
    throw wrong(messageOf(cause), cause);
  }
  const parts = parsed.getComponents();
  const names = parts.map(({ name }) => name);
  const transport = quic ? ["udp", "quic-v1"] : ["tcp"];
  const host = names[0] ?? "";
  if (!["ip4", "ip6", "dns4", "dns6", "dns"].includes(host)) {
    throw wrong("it starts with no ip4, ip6, dns, dns4 or dns6");
  }
  const rest = names.slice(1).filter((name) => name !== "p2p");
  if (rest.join("/") !== transport.join("/")) {
    throw wrong(`a node ${quic ? "with" : "without"} --quic dials /${transport.join("/…/")}`);
  }
  const peerId = parts.findLast(({ name }) => name === "p2p")?.value;
  if (peerId !== undefined) parsePeerId(peerId);
  return { multiaddr: parsed, peerId };
}

/** The address to listen on. */
export function listenAddress(host: string, port: number, quic: boolean): string {
  const family = host.includes(":") ? "ip6" : "ip4";
  return `/${family}/${host}/${quic ? `udp/${port}/quic-v1` : `tcp/${port}`}`;
}
