import { MalformedStreamError } from "./stream_reader.ts";

/** What is used of the library's router. */
export interface Refuser {
  readonly score: {
    rejectMessage(...details: never[]): void;
    rejectInvalidMessage(...details: never[]): void;
  };
  decodeRpc(bytes: Uint8Array): unknown;
  handlePeerReadStreamError(error: Error, peer: never): void;
}

/**
 * Tells of everything that gossipsub refuses: messages, RPCs that are none, and streams that are no
 * RPCs; all other ends of streams are those of their connections. The library tells its metrics alone,
 * which cost a twelfth of the time of a message.
 */
export function whenRefused(router: Refuser, refused: () => void): void {
  const { score } = router;
  const rejectMessage = score.rejectMessage.bind(score);
  const rejectInvalidMessage = score.rejectInvalidMessage.bind(score);
  const decodeRpc = router.decodeRpc.bind(router);
  const handlePeerReadStreamError = router.handlePeerReadStreamError.bind(router);
  score.rejectMessage = (...details) => {
    refused();
    rejectMessage(...details);
  };
  score.rejectInvalidMessage = (...details) => {
    refused();
    rejectInvalidMessage(...details);
  };
  router.decodeRpc = (bytes) => {
    try {
      return decodeRpc(bytes);
    } catch (error) {
      refused();
      throw error;
    }
  };
  router.handlePeerReadStreamError = (error, peer) => {
    if (error instanceof MalformedStreamError) refused();
    handlePeerReadStreamError(error, peer);
  };
}
