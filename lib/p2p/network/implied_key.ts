/** What is used of the library's router. */
export interface BatchSender {
  sendRpcInBatch(
    peers: Set<string>,
    rpc: { readonly messages: { key: Uint8Array | undefined }[] },
  ): void;
}

/**
 * Leaves the author's key out of what a node publishes: a peer id of ed25519 is the key, "so the key
 * may be omitted" (https://github.com/libp2p/specs/tree/master/pubsub#message-signing), and a receiver
 * that finds one has to make a peer id of it and compare. rust-libp2p leaves it out too, this library
 * never does. Only what goes to all in one encoding passes here: all but the longest messages.
 */
export function leaveOutKey(router: BatchSender): void {
  const sendRpcInBatch = router.sendRpcInBatch.bind(router);
  router.sendRpcInBatch = (peers, rpc) => {
    for (const message of rpc.messages) message.key = undefined;
    sendRpcInBatch(peers, rpc);
  };
}
