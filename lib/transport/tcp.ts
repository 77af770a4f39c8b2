import { resolveTarget } from "./resolve.ts";
import { StreamDialer } from "./stream_dialer.ts";
import { StreamListener } from "./stream_listener.ts";
import type { Transport, TransportTraits } from "./transport.ts";

const traits: TransportTraits = {
  framing: "stream",
  reliable: true,
  ordered: true,
  secure: false,
  maxMessageBytes: Infinity,
};

/** TCP (RFC 9293), on Bun's sockets; Nagle's algorithm is off, as the runtime has it. */
export const tcp: Transport = {
  scheme: "tcp",
  // Async, so that what the constructor throws is a rejection.
  // deno-lint-ignore require-await
  async listen(endpoint, handlers, settings) {
    return new StreamListener(endpoint, handlers, settings, traits);
  },
  async dial(endpoint, handlers, settings) {
    const addresses = await resolveTarget(endpoint.host, settings.sources);
    return new StreamDialer({ addresses, port: endpoint.port }, handlers, settings, traits);
  },
};
