import { errorOf } from "../../errors.ts";
import { nowNs as monotonicNs } from "../../stats/clock.ts";
import type { Connection, PeerId, Stream } from "../network/libp2p_types.ts";
import { type ClockOffset, foreignPeer } from "../network/network.ts";
import { MalformedStreamError, readStream } from "../network/stream_reader.ts";
import type { WallClock } from "../wall_clock.ts";
import {
  answerBytes,
  clockProtocol,
  encodeAnswer,
  encodeRequest,
  FrameCutter,
  requestBytes,
} from "./clock_frames.ts";
import { OffsetEstimator } from "./offset_estimator.ts";

/** Exchanges right after a connection has opened, and the time between them. */
const firstExchanges = 8;
const firstEveryMs = 25;

/**
 * Later there is one a second with each peer, and no more than five a second with up to 50: clocks
 * drift slowly, and a node has other things to do. Of 20 nodes on two cores, one a second with each
 * took a tenth of a core.
 */
const everyMs = 1_000;
const everyMsPerPeer = 200;
/** Of the exchanges of the last minute the best one counts: of more than 50 peers too there are some. */
const mostEveryMs = 10_000;
/** The calls are not quite a second apart. */
const earlyMs = 50;

/** An answer that takes longer will not come; another stream is opened. */
const answerTimeoutMs = 10_000;

/** A negotiation that takes longer has failed. */
const negotiationTimeoutMs = 10_000;

/** One exchange is under way, or none; one at a time keeps them from queueing behind each other. */
interface Asking {
  readonly estimator: OffsetEstimator;
  connection: Connection;
  readonly peer: number;
  stream: Stream | undefined;
  isOpening: boolean;
  /** It does not speak the protocol. */
  refuses: boolean;
  number: number;
  /** When the request went, by our clock and by the monotonic one; nothing while none is open. */
  sentAt: bigint | undefined;
  sentAtMs: number;
  answered: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Estimates how far the clock of each peer is ahead of this node's, over a stream that stays open for
 * as long as the connection, and answers the peers that estimate ours. A peer that does not speak
 * the protocol has no estimate.
 *
 * Costs about 2 KB a peer, and two frames of 24 bytes together an exchange.
 */
export class ClockExchanges {
  private readonly peers = new Map<string, Asking>();
  private readonly served = new Set<Stream>();
  private stopped = false;

  constructor(private readonly clock: WallClock) {}

  /** The connection of a peer from now on; `peer` is its node id. */
  settled(connection: Connection, peer: number): void {
    if (peer === foreignPeer || this.stopped) return;
    const id = connection.remotePeer.toString();
    this.end(this.peers.get(id));
    const asking: Asking = {
      ...{ estimator: new OffsetEstimator(), connection, peer, stream: undefined },
      ...{ isOpening: false, refuses: false, number: 0, sentAt: undefined, sentAtMs: 0 },
      ...{ answered: 0, timer: undefined },
    };
    this.peers.set(id, asking);
    void this.open(asking);
  }

  /** The peer may come back as another process on another host: nothing of it is kept. */
  gone(peer: PeerId): void {
    const id = peer.toString();
    this.end(this.peers.get(id));
    this.peers.delete(id);
  }

  /** To be called once a second for each connection: the next exchange, if it is due. */
  inspected(connection: Connection): void {
    const asking = this.peers.get(connection.remotePeer.toString());
    if (asking === undefined || asking.connection !== connection || asking.refuses) return;
    const sinceMs = performance.now() - asking.sentAtMs;
    if (asking.stream === undefined) void this.open(asking);
    else if (asking.sentAt === undefined) {
      if (asking.answered < firstExchanges) return;
      const dueMs = Math.max(everyMs, Math.min(mostEveryMs, everyMsPerPeer * this.peers.size));
      if (sinceMs >= dueMs - earlyMs) this.ask(asking, asking.stream);
    } else if (sinceMs > answerTimeoutMs) {
      asking.stream.abort(new Error("the time was not told in time"));
    }
  }

  /** What is known of each peer, by node id. */
  offsets(): readonly ClockOffset[] {
    const now = monotonicNs();
    const known: ClockOffset[] = [];
    for (const { estimator, peer } of this.peers.values()) {
      const estimate = estimator.at(now);
      if (estimate !== undefined) known.push({ peer, ...estimate });
    }
    return known.sort((a, b) => a.peer - b.peer);
  }

  /** Answers a peer that asks for our time. */
  serve(stream: Stream): void {
    if (this.stopped) return stream.abort(new Error("the network has ended"));
    this.served.add(stream);
    const cutter = new FrameCutter(requestBytes, (request) => {
      const arrivalNs = this.epochNs();
      if (stream.writableNeedsDrain) {
        throw new MalformedStreamError("the peer asks for the time and does not read the answers");
      }
      stream.send(encodeAnswer(request.getUint32(0), arrivalNs, this.epochNs()));
    });
    readStream(stream, {
      piece: (bytes) => cutter.push(bytes),
      ended: (failure) => {
        this.served.delete(stream);
        if (failure === undefined) stream.close().catch((error) => stream.abort(error));
      },
    });
  }

  stop(): void {
    this.stopped = true;
    for (const asking of this.peers.values()) this.end(asking);
    this.peers.clear();
    for (const stream of [...this.served]) stream.abort(new Error("the network has ended"));
  }

  private end(asking: Asking | undefined): void {
    if (asking === undefined) return;
    asking.refuses = true;
    clearTimeout(asking.timer);
    asking.stream?.abort(new Error("the connection is no longer used"));
  }

  /** Never rejects. */
  private async open(asking: Asking): Promise<void> {
    if (asking.isOpening) return;
    asking.isOpening = true;
    try {
      const stream = await asking.connection.newStream(clockProtocol, {
        signal: AbortSignal.timeout(negotiationTimeoutMs),
      });
      if (asking.refuses) return stream.abort(new Error("the connection is no longer used"));
      this.read(stream, asking);
      this.ask(asking, stream);
    } catch (error) {
      // Otherwise the next inspection opens another.
      if (error instanceof Error && error.name === "UnsupportedProtocolError") {
        asking.refuses = true;
      }
    } finally {
      asking.isOpening = false;
    }
  }

  private read(stream: Stream, asking: Asking): void {
    asking.stream = stream;
    const cutter = new FrameCutter(answerBytes, (answer) => this.answer(asking, stream, answer));
    readStream(stream, {
      piece: (bytes) => cutter.push(bytes),
      ended: () => {
        asking.stream = undefined;
        asking.sentAt = undefined;
        clearTimeout(asking.timer);
        if (stream.status === "open") stream.abort(new Error("the peer tells the time no longer"));
      },
    });
  }

  private ask(asking: Asking, stream: Stream): void {
    asking.number = (asking.number + 1) % 2 ** 32;
    const request = encodeRequest(asking.number);
    asking.sentAtMs = performance.now();
    asking.sentAt = this.epochNs();
    try {
      stream.send(request);
    } catch (error) {
      stream.abort(errorOf(error));
    }
  }

  private answer(asking: Asking, stream: Stream, frame: DataView): void {
    const t4Ns = this.epochNs();
    const t1Ns = asking.sentAt;
    if (t1Ns === undefined || frame.getUint32(0) !== asking.number) {
      throw new MalformedStreamError("an answer to a question that was not asked");
    }
    asking.sentAt = undefined;
    asking.estimator.add(t1Ns, frame.getBigUint64(4), frame.getBigUint64(12), t4Ns, monotonicNs());
    asking.answered++;
    if (asking.answered >= firstExchanges) return;
    asking.timer = setTimeout(() => {
      if (asking.stream === stream) this.ask(asking, stream);
    }, firstEveryMs);
  }

  private epochNs(): bigint {
    return BigInt(this.clock.originSeconds) * 1_000_000_000n +
      BigInt(Math.round(this.clock.nowNs()));
  }
}
