import type { Stream } from "../network/libp2p_types.ts";
import type { NetworkSettings } from "../network/network.ts";
import { MalformedStreamError } from "../network/stream_reader.ts";
import type { Deadlines } from "./deadlines.ts";
import { readQuery } from "./query_reader.ts";
import { maximumQueuedBytes } from "./session_settings.ts";

/** No more queries can be received at the same time. */
class BufferFullError extends Error {
  override readonly name = "BufferFullError";
}

/**
 * Takes each query as a message and ends its session without a response, as Apollo's node does.
 *
 * A query that has come whole is handed over at once. What waits are those of which a part has come:
 * `bufferSize` of them at most, and {@linkcode maximumQueuedBytes}; one beyond that is dropped.
 */
export class QueryReceiver {
  /** Sessions whose query was malformed. */
  invalid = 0;
  /** Queries that were dropped as too many came in at the same time. */
  overflowed = 0;

  private readonly streams = new Set<Stream>();
  private reading = 0;
  private readingBytes = 0;
  private stopped = false;

  /** @param receive is given every query; the bytes are valid during the call only. */
  constructor(
    private readonly settings: Pick<NetworkSettings, "bufferSize">,
    private readonly receive: (query: Uint8Array) => void,
    private readonly deadlines: Deadlines,
  ) {}

  /** A peer opened a stream. */
  accept(stream: Stream): void {
    if (this.stopped) return stream.abort(new Error("the network has ended"));
    if (this.reading >= this.settings.bufferSize) {
      this.overflowed++;
      return stream.abort(new BufferFullError("too many queries come in at the same time"));
    }
    this.streams.add(stream);
    this.reading++;
    let partBytes = 0;
    const done = () => {
      this.reading--;
      this.readingBytes -= partBytes;
    };
    readQuery(stream, this.deadlines.next(), {
      part: (bytes) => {
        if (this.readingBytes + bytes > maximumQueuedBytes) {
          throw new BufferFullError("too many bytes of queries come in at the same time");
        }
        partBytes += bytes;
        this.readingBytes += bytes;
      },
      query: (bytes) => {
        done();
        if (this.stopped) return;
        this.receive(bytes);
        stream.close()
          .catch((error) => stream.abort(error))
          .finally(() => this.streams.delete(stream));
      },
      failed: (failure) => {
        done();
        if (failure instanceof MalformedStreamError) this.invalid++;
        if (failure instanceof BufferFullError) this.overflowed++;
        this.streams.delete(stream);
        stream.abort(failure);
      },
    });
  }

  /** Sessions that peers have open. */
  sessions(): number {
    return this.streams.size;
  }

  stop(): void {
    this.stopped = true;
    for (const stream of [...this.streams]) stream.abort(new Error("the network has ended"));
  }
}
