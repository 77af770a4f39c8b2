import { errorOf } from "../../errors.ts";
import type { Connection, PeerId, Stream } from "../network/libp2p_types.ts";
import { MalformedStreamError, readStream } from "../network/stream_reader.ts";
import type { Deadlines } from "./deadlines.ts";
import { ResponseDecoder } from "./framing.ts";
import { openSession, sqmrProtocols } from "./session_settings.ts";

/** Between the end of a session and the next try to open one. */
const reconnectAfterMs = 100;

/** Opens a session with one peer, over and over. */
interface Subscription {
  connection: Connection;
  protocols: readonly string[];
  stream: Stream | undefined;
  /** The connection of the stream, or of the one that is being opened. */
  streamConnection: Connection | undefined;
  isOpening: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Keeps an empty query open to each peer, and hands on every response. */
export class ResponseReceiver {
  /** Sessions whose responses were malformed. */
  invalid = 0;

  private readonly subscriptions = new Map<string, Subscription>();
  private readonly streams = new Set<Stream>();
  private stopped = false;

  /** @param receive is given every response; the bytes are valid during the call only. */
  constructor(
    private readonly receive: (response: Uint8Array) => void,
    private readonly deadlines: Deadlines,
  ) {}

  settled(connection: Connection): void {
    if (this.stopped) return;
    const peer = connection.remotePeer.toString();
    const known = this.subscriptions.get(peer);
    const subscription = known ??
      {
        connection,
        protocols: sqmrProtocols,
        stream: undefined,
        streamConnection: undefined,
        isOpening: false,
        timer: undefined,
      };
    subscription.connection = connection;
    this.subscriptions.set(peer, subscription);
    void this.open(subscription);
  }

  gone(peerId: PeerId): void {
    const peer = peerId.toString();
    const subscription = this.subscriptions.get(peer);
    if (subscription === undefined) return;
    clearTimeout(subscription.timer);
    this.subscriptions.delete(peer);
  }

  sessions(): number {
    return this.streams.size;
  }

  stop(): void {
    this.stopped = true;
    for (const { timer } of this.subscriptions.values()) clearTimeout(timer);
    this.subscriptions.clear();
    for (const stream of [...this.streams]) stream.abort(new Error("the network has ended"));
  }

  /** Opens a session unless there is one on the connection that is kept. Never rejects. */
  private async open(subscription: Subscription): Promise<void> {
    clearTimeout(subscription.timer);
    if (!this.isWanted(subscription) || subscription.isOpening) return;
    const { connection } = subscription;
    if (subscription.stream !== undefined && subscription.streamConnection === connection) return;
    subscription.isOpening = true;
    subscription.streamConnection = connection;
    const deadline = this.deadlines.next();
    let stream: Stream | undefined;
    try {
      stream = await openSession(connection, subscription.protocols, deadline);
      subscription.protocols = [stream.protocol];
      this.read(stream, subscription);
      await stream.close({ signal: deadline });
    } catch (error) {
      stream?.abort(errorOf(error));
      if (stream === undefined) subscription.protocols = sqmrProtocols;
    } finally {
      subscription.isOpening = false;
      const isMoving = subscription.connection !== subscription.streamConnection;
      if (subscription.stream === undefined || isMoving) this.reopen(subscription);
    }
  }

  private read(stream: Stream, subscription: Subscription): void {
    this.streams.add(stream);
    subscription.stream = stream;
    const decoder = new ResponseDecoder(this.receive);
    readStream(stream, {
      piece: (bytes) => {
        if (!this.stopped) decoder.push(bytes);
      },
      ended: (failure) => {
        this.streams.delete(stream);
        if (subscription.stream === stream) subscription.stream = undefined;
        const isCut = failure === undefined && !decoder.isComplete;
        if (isCut || failure instanceof MalformedStreamError) this.invalid++;
        if (isCut) stream.abort(new MalformedStreamError("the stream ended within a response"));
        this.reopen(subscription);
      },
    });
  }

  private reopen(subscription: Subscription): void {
    clearTimeout(subscription.timer);
    if (!this.isWanted(subscription)) return;
    subscription.timer = setTimeout(() => void this.open(subscription), reconnectAfterMs);
  }

  private isWanted(subscription: Subscription): boolean {
    const peer = subscription.connection.remotePeer.toString();
    return !this.stopped && this.subscriptions.get(peer) === subscription;
  }
}
