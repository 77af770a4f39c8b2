import type { Libp2p, Peer } from "./libp2p_types.ts";

/**
 * Saves writing into the peer store, at each stream that is opened, that its peer speaks its
 * protocol, once that stands there: the library reads, decodes, encodes and writes the whole record
 * of the peer each time, one stream after the other, which is a fifth of what a query of SQMR costs.
 */
export function rememberProtocols(libp2p: Libp2p): void {
  const { peerStore } = libp2p;
  const merge = peerStore.merge.bind(peerStore);
  /** The record as it was last written, by peer id and protocol. */
  const known = new Map<string, Map<string, Peer>>();
  peerStore.merge = async (id, data, options) => {
    const protocol = data.protocols?.[0];
    if (protocol === undefined || data.protocols?.length !== 1 || Object.keys(data).length !== 1) {
      return await merge(id, data, options);
    }
    const peer = id.toString();
    const record = known.get(peer)?.get(protocol);
    if (record !== undefined) return record;
    const written = await merge(id, data, options);
    const protocols = known.get(peer) ?? new Map<string, Peer>();
    known.set(peer, protocols.set(protocol, written));
    return written;
  };
  libp2p.addEventListener("peer:disconnect", ({ detail }) => known.delete(detail.toString()));
}
