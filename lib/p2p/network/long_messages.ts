import { Uint8ArrayList } from "./bytes.ts";
import type { OutgoingStream } from "./gossip_streams.ts";

/** The longest message, header included, in bytes. */
export const longestMessage: number = 4 * 1024 * 1024;

/**
 * The longest RPC that is read. A message of 4 MiB exceeds 4 MiB, where the library stops by itself,
 * with its envelope; and all that a peer asks for in one IWANT comes in one RPC.
 */
export const longestRpc: number = 64 * 1024 * 1024;

/** The library gives up where an RPC of more than 4 MiB is encoded once for several peers. */
export const longestInBatch: number = longestMessage - 1024;

/** A stream as the library keeps it. */
export interface LongStream extends OutgoingStream {
  readonly protocol: string;
  pushPrefixed(frame: Uint8ArrayList): void;
}

/**
 * Lets RPCs of more than 4 MiB be sent: the library puts the length before an RPC with
 * `it-length-prefixed`, which throws there, and has no option for it.
 */
export function liftLengthLimit(
  { streamsOutbound: streams }: { readonly streamsOutbound: Map<string, LongStream> },
): void {
  const set = streams.set.bind(streams);
  streams.set = (peer, stream) => {
    const push = stream.push.bind(stream);
    stream.push = (rpc) => {
      if (rpc.byteLength < longestMessage) push(rpc);
      else stream.pushPrefixed(new Uint8ArrayList(varintOf(rpc.byteLength), rpc));
    };
    return set(peer, stream);
  };
}

/** An unsigned varint: https://github.com/multiformats/unsigned-varint */
function varintOf(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; left > 0 || bytes.length === 0; left >>>= 7) {
    bytes.push(left >= 0x80 ? (left & 0x7f) | 0x80 : left);
  }
  return Uint8Array.from(bytes);
}
