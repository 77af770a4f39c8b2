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
 * As on a connection that is closed nothing can be sent, `send` says so by its result alone: the
 * library's multiplexer also sends in microtasks of its own, where nobody would catch an error.
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
    if (!send(bytes)) saturated();
  };
  connection.send = (bytes) => {
    if (connection.status !== "open") return false;
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
