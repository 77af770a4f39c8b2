import { Uint8ArrayList } from "./bytes.ts";
import type { MessageStream } from "./libp2p_types.ts";

/** More than this is not held back to be joined: a frame of noise carries 64 KiB. */
const mostJoinedBytes = 64 * 1024;

/**
 * Makes a connection send all that it is given in one turn of the event loop together, at the turn's
 * end: one frame of noise and one system call instead of one each for every frame of yamux, of which
 * a query of SQMR takes half a dozen. What was given to `send` has therefore reached the socket only
 * after the next `setImmediate`.
 *
 * @param saturated the socket took the bytes, and wants no more until the connection's `drain`.
 * @returns sends what waits, at once.
 */
export function joinWrites(connection: MessageStream, saturated: () => void): () => void {
  const send = connection.send.bind(connection);
  let waiting: Uint8ArrayList | undefined;
  const flush = () => {
    const bytes = waiting;
    waiting = undefined;
    if (bytes === undefined || connection.status !== "open") return;
    try {
      if (!send(bytes)) saturated();
    } catch {
      // The connection has ended, and with it all of its streams, each of which is told so.
    }
  };
  connection.send = (bytes) => {
    if (connection.status !== "open") return send(bytes);
    if (waiting === undefined) {
      waiting = new Uint8ArrayList();
      setImmediate(flush);
    }
    waiting.append(bytes);
    if (waiting.byteLength >= mostJoinedBytes) flush();
    return !connection.writableNeedsDrain;
  };
  return flush;
}
