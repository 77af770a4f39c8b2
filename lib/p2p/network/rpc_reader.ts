import type { PeerId, Stream } from "./libp2p_types.ts";
import { RpcFrames } from "./rpc_frames.ts";
import { MalformedStreamError, readStream } from "./stream_reader.ts";

/** What is used of the library's router. */
export interface RpcReceiver {
  readonly peers: ReadonlyMap<string, PeerId>;
  readonly streamsInbound: Map<string, IncomingStream>;
  isStarted(): boolean;
  createInboundStream(peer: PeerId, stream: Stream): void;
  pipePeerReadStream(peer: PeerId, source: unknown): Promise<void>;
  decodeRpc(bytes: Uint8Array): unknown;
  handleReceivedRpc(peer: PeerId, rpc: unknown): Promise<void>;
  handlePeerReadStreamError(error: Error, peer: PeerId): void;
}

/** A stream as the library keeps it. */
export interface IncomingStream {
  readonly rawStream: Stream;
  close(): Promise<void>;
}

/**
 * Makes a router handle each RPC in the turn in which it comes. The library pulls them through two
 * asynchronous generators and a queue, which take a dozen promises each.
 *
 * @param mostBytes of an RPC.
 */
export function readAtOnce(router: RpcReceiver, mostBytes: number): void {
  // As the library does, without the queue that its own kind of stream comes with.
  router.createInboundStream = (peer, rawStream) => {
    const id = peer.toString();
    if (!router.isStarted() || !router.peers.has(id)) return;
    const close = () => rawStream.close().catch((error) => rawStream.abort(error));
    void router.streamsInbound.get(id)?.close();
    router.streamsInbound.set(id, { rawStream, close });
    void router.pipePeerReadStream(peer, rawStream);
  };
  router.pipePeerReadStream = (peer, source) => {
    const stream = source as Stream;
    const frames = new RpcFrames(mostBytes, (rpc) => handle(router, peer, rpc));
    const { promise, resolve } = Promise.withResolvers<void>();
    readStream(stream, {
      piece: (bytes) => frames.push(bytes),
      ended: (failure) => {
        const reason = failure ?? (frames.isComplete ? undefined : new MalformedStreamError(
          "a stream of gossipsub ended within an RPC",
        ));
        // Where the connection has come to its end, the peer may have another: it is not forgotten.
        const isBroken = reason !== undefined && stream.status !== "closed";
        if (isBroken) router.handlePeerReadStreamError(reason, peer);
        resolve();
      },
    });
    return promise;
  };
}

/** What cannot be read is counted where it is decoded; the stream goes on. */
function handle(router: RpcReceiver, peer: PeerId, frame: Uint8Array): void {
  let rpc: unknown;
  try {
    rpc = router.decodeRpc(frame);
  } catch {
    return;
  }
  router.handleReceivedRpc(peer, rpc).catch(() => {});
}
