import { yamux } from "@libp2p/yamux";
import type { Uint8ArrayList } from "./bytes.ts";

/**
 * The longest frame sent. The library sends as much in one frame as the peer's window has room for,
 * and rust-libp2p, whose windows grow to many MiB, ends a connection on which a frame has more than
 * 1 MiB (`MAX_FRAME_BODY_LEN` of its yamux).
 */
const mostFrameBytes = 256 * 1024;

/** `DATA` in https://github.com/hashicorp/yamux/blob/master/spec.md */
const dataFrame = 0;

type Yamux = ReturnType<typeof yamux>;
type Muxer = ReturnType<ReturnType<Yamux>["createStreamMuxer"]>;

interface FrameSender {
  sendFrame(header: { type: number; flag: number; length: number }, data?: Uint8ArrayList): boolean;
}

/**
 * Yamux, with a bound on the length of its frames that peers of other libraries hold to, and without
 * the exception that nobody can catch: the library opens a stream in a microtask of its own, and that
 * throws where the connection has ended meanwhile.
 */
export function multiplexer(settings: Parameters<typeof yamux>[0]): Yamux {
  const create = yamux(settings);
  return () => {
    const factory = create();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      const muxer = createStreamMuxer(connection);
      mend(muxer);
      return muxer;
    };
    return factory;
  };
}

function mend(muxer: Muxer): void {
  const sender = muxer as unknown as FrameSender;
  const sendFrame = sender.sendFrame.bind(muxer);
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
      const flag = start === 0 ? header.flag : 0;
      canSendMore = sendFrame({ ...header, flag, length: part.byteLength }, part);
    }
    return canSendMore;
  };
}
