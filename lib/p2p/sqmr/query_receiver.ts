import type { Stream } from "../network/libp2p_types.ts";
import { MalformedStreamError } from "../network/stream_reader.ts";
import type { Deadlines } from "./deadlines.ts";
import { readQuery } from "./query_reader.ts";

/** Takes each query as a message and ends its session without a response, as Apollo's node does. */
export class QueryReceiver {
  /** Sessions whose query was malformed. */
  invalid = 0;

  private readonly streams = new Set<Stream>();
  private stopped = false;

  /** @param receive is given every query; the bytes are valid during the call only. */
  constructor(
    private readonly receive: (query: Uint8Array) => void,
    private readonly deadlines: Deadlines,
  ) {}

  /** A peer opened a stream. */
  accept(stream: Stream): void {
    if (this.stopped) return stream.abort(new Error("the network has ended"));
    this.streams.add(stream);
    readQuery(stream, this.deadlines.next(), {
      query: (bytes) => {
        if (this.stopped) return;
        this.receive(bytes);
        stream.close()
          .catch((error) => stream.abort(error))
          .finally(() => this.streams.delete(stream));
      },
      failed: (failure) => {
        if (failure instanceof MalformedStreamError) this.invalid++;
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
