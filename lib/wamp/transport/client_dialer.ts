import type { ConnectionHandlers, Dialer, DialSettings } from "../../transport/transport.ts";
import { transports } from "../../transport/registry.ts";
import type { Subprotocol } from "../serialization/subprotocol.ts";
import type { ClientUrl } from "./client_url.ts";
import { RawSocketDialer } from "./rawsocket_dialer.ts";

/** What rawsocket can carry; the same bound for WebSocket keeps a router from filling the memory. */
export const maxMessageBytes = 2 ** 24 - 1;

/**
 * Prepares connections to a router; one `data` call is one message of the transport.
 *
 * @throws {TargetUnreachableError} the host does not resolve.
 */
export function dialRouter(
  url: ClientUrl,
  subprotocol: Subprotocol,
  handlers: ConnectionHandlers,
  given: Pick<DialSettings, "capacity" | "connectTimeoutMs" | "tls">,
): Promise<Dialer> {
  const { endpoint } = url;
  const settings = {
    ...given,
    connectionsPerSocket: 1,
    datagrams: false,
    maxMessageBytes,
    subprotocol: subprotocol.name,
  };
  if (url.kind === "websocket") {
    return transports[endpoint.scheme].dial(endpoint, handlers, settings);
  }
  const { rawSocketId } = subprotocol.serializer;
  return RawSocketDialer.dial(
    transports[endpoint.scheme],
    endpoint,
    handlers,
    settings,
    rawSocketId,
  );
}
