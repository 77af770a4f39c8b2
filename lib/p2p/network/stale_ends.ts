import type { PeerId } from "./libp2p_types.ts";

/** What is used of the library's router. */
export interface PeerKeeper {
  pipePeerReadStream(peer: PeerId, source: unknown): Promise<void>;
  onPeerDisconnected(peer: PeerId): void;
}

/**
 * Keeps a router from forgetting a peer for the end of a connection that has given way: the library
 * removes the peer, with the good streams and the subscription of its other connection, which the
 * peer does not send again. To be called before the router starts.
 *
 * Connections are told apart by their peer id objects, of which each has its own.
 *
 * @param isConnected whether the peer has a connection that is open.
 */
export function ignoreStaleEnds(router: PeerKeeper, isConnected: (peer: PeerId) => boolean): void {
  /** The connection that the peer has opened its last stream on. */
  const latest = new Map<string, PeerId>();
  const read = router.pipePeerReadStream.bind(router);
  const forget = router.onPeerDisconnected.bind(router);
  router.pipePeerReadStream = (peer, source) => {
    latest.set(peer.toString(), peer);
    return read(peer, source);
  };
  router.onPeerDisconnected = (peer) => {
    const known = latest.get(peer.toString());
    if (known !== undefined && known !== peer && isConnected(peer)) return;
    latest.delete(peer.toString());
    forget(peer);
  };
}
