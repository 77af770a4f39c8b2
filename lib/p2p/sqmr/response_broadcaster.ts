import type { Connection, Stream } from "../network/libp2p_types.ts";
import type { DropReason, NetworkHandlers, NetworkSettings } from "../network/network.ts";
import { MalformedStreamError } from "../network/stream_reader.ts";
import type { Deadlines } from "./deadlines.ts";
import { FrameLog } from "./frame_log.ts";
import { maximumMessageBytes } from "./framing.ts";
import { PushSession } from "./push_session.ts";
import { readQuery } from "./query_reader.ts";

/**
 * Sends each message as a response to every query that peers keep open. A peer's newer query takes
 * the place of its older one, as with Apollo: it opens one when it takes the other for lost, and
 * must not get everything twice.
 *
 * A message is sent when every session that was open, and not behind by all that may wait, has
 * handed it to its socket or ended; where none has taken it, it is dropped.
 */
export class ResponseBroadcaster {
  /** Sessions whose query was malformed. */
  invalid = 0;

  private readonly open = new Map<string, PushSession>();
  private readonly log: FrameLog;
  /** Streams of peers, also those whose query is still being read. */
  private readonly streams = new Set<Stream>();
  private flushIsDue = false;
  private stopped = false;

  constructor(
    private readonly settings: NetworkSettings,
    private readonly handlers: Pick<NetworkHandlers, "sent" | "dropped">,
    private readonly deadlines: Deadlines,
  ) {
    this.log = new FrameLog((token, readers) => {
      if (this.stopped) return;
      if (readers > 0) this.handlers.sent(token);
      else this.handlers.dropped("no_peers_subscribed_to_topic", token);
    });
  }

  /** A peer opened a stream. */
  accept(stream: Stream, connection: Connection): void {
    if (this.stopped) return stream.abort(new Error("the network has ended"));
    this.streams.add(stream);
    stream.addEventListener("close", () => this.streams.delete(stream), { once: true });
    // Its query has no bytes: a receiver that sends one runs the other protocol.
    readQuery(stream, this.deadlines.next(), {
      query: () => this.begin(stream, connection.remotePeer.toString()),
      failed: (failure) => {
        if (failure instanceof MalformedStreamError) this.invalid++;
        stream.abort(failure);
      },
    }, 0);
  }

  /** As {@linkcode BroadcastNetwork.publish}. */
  publish(message: Uint8Array, token: number): DropReason | undefined {
    if (message.length > maximumMessageBytes) return "message_too_large";
    if (this.open.size === 0) return "no_peers_subscribed_to_topic";
    let readers = 0;
    for (const session of this.open.values()) {
      if (session.takesNext(this.settings.bufferSize)) readers++;
    }
    if (readers === 0) return "all_queues_full";
    if (readers < this.open.size) {
      for (const session of this.open.values()) {
        if (!session.takesNext(this.settings.bufferSize)) {
          session.fallBehind(this.settings.bufferSize);
        }
      }
    }
    this.log.append(message, token, readers);
    if (!this.flushIsDue) {
      this.flushIsDue = true;
      queueMicrotask(this.flush);
    }
    return undefined;
  }

  reachablePeers(): number {
    return this.open.size;
  }

  queued(): number {
    return this.log.unfinished;
  }

  /** Sessions that peers have open. */
  sessions(): number {
    return this.streams.size;
  }

  stop(): void {
    this.stopped = true;
    for (const stream of [...this.streams]) stream.abort(new Error("the network has ended"));
  }

  /** Everything that was published in this turn of the event loop goes out together. */
  private readonly flush = (): void => {
    this.flushIsDue = false;
    for (const session of this.open.values()) session.push();
  };

  private begin(stream: Stream, peer: string): void {
    const older = this.open.get(peer);
    const session = new PushSession(stream, this.log, (lost) => {
      if (this.open.get(peer) === lost) this.open.delete(peer);
    });
    this.open.set(peer, session);
    if (older === undefined) return;
    older.end();
    older.stream.close().catch((error) => older.stream.abort(error));
  }
}
