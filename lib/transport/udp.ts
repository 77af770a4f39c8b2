import { resolveTarget } from "./resolve.ts";
import type { Transport, TransportTraits } from "./transport.ts";
import { UdpDialer } from "./udp_dialer.ts";
import { listenUdp } from "./udp_listener.ts";

const traits: TransportTraits = {
  framing: "message",
  reliable: false,
  ordered: false,
  secure: false,
  // 65,535 less the headers of IPv4 and UDP; what IPv6 allows beyond that is not used.
  maxMessageBytes: 65_507,
  isConnectionless: true,
};

/**
 * UDP (RFC 768), on Bun's sockets. A connection is a connected socket: it opens without asking the
 * peer, and closes as `refused` when an ICMP message says that nobody listens there.
 */
export const udp: Transport = {
  scheme: "udp",
  listen(endpoint, handlers, settings) {
    return listenUdp(endpoint, handlers, settings, traits);
  },
  async dial(endpoint, handlers, settings) {
    const addresses = await resolveTarget(endpoint.host, settings.sources);
    return new UdpDialer({ addresses, port: endpoint.port }, handlers, settings, traits);
  },
};
