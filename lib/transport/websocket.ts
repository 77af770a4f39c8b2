import { tcp } from "./tcp.ts";
import { tls } from "./tls.ts";
import type { Transport } from "./transport.ts";
import { WebSocketDialer } from "./websocket_dialer.ts";
import { WebSocketListener } from "./websocket_listener.ts";

/**
 * WebSocket (RFC 6455) over TCP. One `data` call is one message; text stays text and binary stays
 * binary. No subprotocols and no extensions.
 */
export const ws: Transport = overStreams("ws", tcp);

/** The same over TLS. ALPN is not used on the accepting side: WebSocket runs on HTTP/1.1. */
export const wss: Transport = overStreams("wss", tls);

function overStreams(scheme: "ws" | "wss", streams: Transport): Transport {
  return {
    scheme,
    // Async, so that what the constructor throws is a rejection.
    // deno-lint-ignore require-await
    async listen(endpoint, handlers, settings) {
      return new WebSocketListener(endpoint, handlers, settings);
    },
    dial: (endpoint, handlers, settings) =>
      WebSocketDialer.dial(streams, endpoint, handlers, settings),
  };
}
