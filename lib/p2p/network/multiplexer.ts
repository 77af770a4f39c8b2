import { yamux } from "@libp2p/yamux";
import { errorOf } from "../../errors.ts";
import type { Bytes, Uint8ArrayList } from "./bytes.ts";
import { handDirectly, type MessageSource, tellListenersAlone } from "./direct_messages.ts";
import type { MessageStream, Stream } from "./libp2p_types.ts";
import { WindowUpdates } from "./window_updates.ts";
import { JoinedWrites, setWritesOf } from "./write_joiner.ts";

/**
 * The longest frame sent. The library sends as much in one frame as the peer's window has room for,
 * and rust-libp2p, whose windows grow to many MiB, ends a connection on which a frame has more than
 * 1 MiB (`MAX_FRAME_BODY_LEN` of its yamux).
 */
const mostFrameBytes = 256 * 1024;

/** Types and flags of https://github.com/hashicorp/yamux/blob/master/spec.md */
const dataFrame = 0;
const windowUpdateFrame = 1;
const noFlags = 0;

type Yamux = ReturnType<typeof yamux>;
type Muxer = ReturnType<ReturnType<Yamux>["createStreamMuxer"]>;

interface FrameHeader {
  readonly type: number;
  readonly flag: number;
  readonly streamID: number;
  readonly length: number;
}

/** What is used of the library's `YamuxMuxer`. */
interface FrameSender {
  /** Creates the streams of both sides. */
  _newStream(...details: readonly never[]): Stream;
  sendFrame(header: FrameHeader, data?: Uint8ArrayList): boolean;
  readonly streams: readonly { readonly id: string; onMuxerNeedsDrain(): void }[];
  onData(bytes: Bytes): void;
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
  abort(reason: Error): void;
}

/**
 * Yamux, with a bound on the length of its frames that peers of other libraries hold to, without
 * window updates that help nobody, with all frames of a turn in one write, and without the exception
 * that nobody can catch: the library opens a stream in a microtask of its own, and that throws where
 * the connection has ended meanwhile.
 */
export function multiplexer(settings: Parameters<typeof yamux>[0]): Yamux {
  const create = yamux(settings);
  return () => {
    const factory = create();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      // The streams learn it from the multiplexer, which does not see what is sent later.
      const writes = new JoinedWrites(connection, () => {
        for (const stream of sender.streams) stream.onMuxerNeedsDrain();
      });
      const muxer: Muxer = createStreamMuxer(connection);
      const sender = muxer as unknown as FrameSender;
      boundFrames(sender);
      joinUpdates(sender);
      flushAtEnd(sender, () => writes.flush());
      followStreams(sender, writes);
      readAtOnce(connection, sender);
      return muxer;
    };
    return factory;
  };
}

function boundFrames(sender: FrameSender): void {
  const sendFrame = sender.sendFrame.bind(sender);
  sender.sendFrame = (header, data) => {
    if (header.type !== dataFrame || data === undefined) {
      try {
        return sendFrame(header, data);
      } catch {
        // The connection has ended, and with it all of its streams, each of which is told so.
        return false;
      }
    }
    if (data.byteLength <= mostFrameBytes) return sendFrame(header, data);
    let canSendMore = true;
    for (let start = 0; start < data.byteLength; start += mostFrameBytes) {
      const part = data.sublist(start, Math.min(start + mostFrameBytes, data.byteLength));
      // Flags open a stream or confirm it: once.
      const flag = start === 0 ? header.flag : noFlags;
      canSendMore = sendFrame({ ...header, flag, length: part.byteLength }, part);
    }
    return canSendMore;
  };
}

function joinUpdates(sender: FrameSender): void {
  const sendFrame = sender.sendFrame.bind(sender);
  const updates = new WindowUpdates();
  sender.sendFrame = (header, data) => {
    if (header.type !== windowUpdateFrame || header.flag !== noFlags) {
      return sendFrame(header, data);
    }
    const length = updates.due(header.streamID, header.length);
    if (updates.size > 2 * sender.streams.length + 64) {
      updates.retain(new Set(sender.streams.map(({ id }) => Number(id))));
    }
    return length === 0 || sendFrame({ ...header, length }, data);
  };
}

/** So that it can be told when what a stream has written has left the process. */
function followStreams(sender: FrameSender, writes: JoinedWrites): void {
  const newStream = sender._newStream.bind(sender);
  sender._newStream = (...details) => {
    const stream = newStream(...details);
    setWritesOf(stream, writes);
    tellListenersAlone(stream as unknown as MessageSource);
    return stream;
  };
}

/** What the streams and the connection have to say last goes out before its end. */
function flushAtEnd(sender: FrameSender, flush: () => void): void {
  const close = sender.close.bind(sender);
  const abort = sender.abort.bind(sender);
  sender.close = async (options) => {
    await close(options);
    flush();
  };
  sender.abort = (reason) => {
    abort(reason);
    flush();
  };
}

/** Hands all that comes to the multiplexer directly. */
function readAtOnce(connection: MessageStream, sender: FrameSender): void {
  handDirectly(connection as unknown as MessageSource, (bytes) => {
    try {
      sender.onData(bytes);
    } catch (cause) {
      const reason = errorOf(cause);
      sender.abort(reason);
      connection.abort(reason);
    }
  });
}
