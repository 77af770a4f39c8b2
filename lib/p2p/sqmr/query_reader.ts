import type { Stream } from "../network/libp2p_types.ts";
import { MalformedStreamError, readStream } from "../network/stream_reader.ts";
import { maximumMessageBytes } from "./framing.ts";

/** What becomes of a query that a peer sent. */
export interface QueryConsumer {
  /** The whole query; the peer has closed its half of the stream, which may be answered. */
  query(bytes: Uint8Array): void;
  /** It did not come whole: too long, too late, or the stream or its connection was lost. */
  failed(failure: Error): void;
  /** A part of it came, of so many bytes. What it throws ends the session. */
  part?(bytes: number): void;
}

/**
 * Reads the query of an incoming session: all bytes up to the end of the peer's half.
 *
 * @param most bytes that it may have; a longer one ends the session at once.
 * @param deadline when it has to be there.
 */
export function readQuery(
  stream: Stream,
  deadline: AbortSignal,
  consumer: QueryConsumer,
  most = maximumMessageBytes,
): void {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const onTimeout = () => stream.abort(new Error("the query did not come in time"));
  deadline.addEventListener("abort", onTimeout, { once: true });
  readStream(stream, {
    piece: (bytes) => {
      length += bytes.length;
      if (length > most) {
        throw new MalformedStreamError(`a query of over ${most} bytes; no more is allowed here`);
      }
      consumer.part?.(bytes.length);
      pieces.push(bytes);
    },
    ended: (failure) => {
      deadline.removeEventListener("abort", onTimeout);
      if (failure !== undefined) consumer.failed(failure);
      else consumer.query(join(pieces, length));
    },
  });
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const whole = new Uint8Array(length);
  let end = 0;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}
