import { parsePeerId, peerIdOfKey } from "../identity.ts";
import { latin1Text } from "./latin1_text.ts";
import type { PeerId, PublicKey } from "./libp2p_types.ts";
import { SignedBytes } from "./signed_bytes.ts";

/** Anybody can make up authors: no more of them are remembered. */
const mostSigners = 10_000;

const sequenceBytes = 8;

/** The peer id of an ed25519 key, and the key in protobuf; longer ones have fields that nobody knows. */
const peerIdBytes = 38;
const keyBytes = 36;

/** The library encodes a peer id in base58, which takes the square of its length; none is as long. */
const longestPeerIdBytes = 64;

/** A message as it came. */
export interface RawMessage {
  readonly topic: string;
  readonly from?: Uint8Array;
  readonly data?: Uint8Array;
  readonly seqno?: Uint8Array;
  readonly signature?: Uint8Array;
  readonly key?: Uint8Array;
}

/** What the library makes of one. */
export type Validation =
  | { readonly code: "duplicate"; readonly msgIdStr: string }
  | { readonly code: "invalid" }
  | {
    readonly code: "valid";
    readonly messageId: { readonly msgId: Uint8Array; readonly msgIdStr: string };
    readonly msg: { readonly type: string; readonly from?: PeerId; readonly key?: PublicKey };
  };

/** What is used of the library's router. */
export interface Validator {
  readonly fastMsgIdCache?: {
    get(id: string): string | undefined;
    put(id: string, value: string): unknown;
  };
  readonly seenCache: { has(id: string): boolean; put(id: string): unknown };
  readonly opts: { readonly idontwantMinDataSize: number };
  sendIDontWants(id: Uint8Array, topic: string, source: string): void;
  validateReceivedMessage(
    source: PeerId,
    message: RawMessage,
  ): Validation | Promise<Validation>;
}

/** Who has signed a message that the library found valid. */
interface Signer {
  readonly peer: PeerId;
  readonly name: string;
  readonly publicKey: PublicKey;
  /** As the message carried it, if it did. */
  readonly keyText: string | undefined;
}

/** Tells a message before anything of it is verified: author and sequence number. */
export const fastIdOf = ({ from, seqno }: RawMessage): string => textOf(from) + textOf(seqno);

const textOf = (bytes: Uint8Array | undefined) => bytes === undefined ? "" : latin1Text(bytes);

/**
 * Spares a router to make the author of each message anew, its peer id, its key and the key's peer id,
 * which together take as long as the signature: whose messages the library has found valid before is
 * known. What does not look like a message of theirs, or has a signature that does not hold, is for
 * the library to judge, but for an author's id that is none.
 *
 * @param topic the one whose messages come.
 */
export function knowSigners(router: Validator, topic: string): void {
  const signers = new Map<string, Signer>();
  const signedBytes = new SignedBytes(topic);
  const encoder = new TextEncoder();
  const validate = router.validateReceivedMessage.bind(router);

  const judge = async (source: PeerId, message: RawMessage) => {
    const validation = await validate(source, message);
    const { from, key } = message;
    if (validation.code !== "valid" || from?.byteLength !== peerIdBytes) return validation;
    if (key !== undefined && key.byteLength !== keyBytes) return validation;
    const publicKey = validation.msg.key;
    if (publicKey?.type !== "Ed25519") return validation;
    const fromText = latin1Text(from);
    if (signers.size >= mostSigners && !signers.has(fromText)) return validation;
    const keyText = key && latin1Text(key);
    // The library's own id is a view of all that came with the message.
    const name = peerIdOfKey(publicKey.raw);
    signers.set(fromText, { peer: parsePeerId(name), name, publicKey, keyText });
    return validation;
  };

  router.validateReceivedMessage = (source, message) => {
    const { from, data, seqno, signature, key } = message;
    if (from !== undefined && from.byteLength > longestPeerIdBytes) return { code: "invalid" };
    const isWhole = from !== undefined && data !== undefined && seqno?.length === sequenceBytes &&
      signature !== undefined && message.topic === topic;
    if (!isWhole) return judge(source, message);
    const fastId = fastIdOf(message);
    const known = router.fastMsgIdCache?.get(fastId);
    if (known !== undefined) return { code: "duplicate", msgIdStr: known };

    const signer = signers.get(latin1Text(from));
    if (signer === undefined) return judge(source, message);
    if (key !== undefined && latin1Text(key) !== signer.keyText) return judge(source, message);
    const { peer, name, publicKey } = signer;
    if (publicKey.verify(signedBytes.of({ from, data, seqno }), signature) !== true) {
      return judge(source, message);
    }
    const sequenceNumber = sequenceNumberOf(seqno);
    const msgIdStr = name + sequenceNumber;
    router.fastMsgIdCache?.put(fastId, msgIdStr);
    if (router.seenCache.has(msgIdStr)) return { code: "duplicate", msgIdStr };
    router.seenCache.put(msgIdStr);
    const msgId = encoder.encode(msgIdStr);
    if (data.byteLength >= router.opts.idontwantMinDataSize) {
      router.sendIDontWants(msgId, topic, source.toString());
    }
    return {
      code: "valid",
      messageId: { msgId, msgIdStr },
      msg: { type: "signed", from: peer, data, sequenceNumber, topic, signature, key: publicKey },
    };
  };
}

/** Eight bytes, big-endian; without a view, for which a small array needs a buffer of its own. */
function sequenceNumberOf(bytes: Uint8Array): bigint {
  let [high, low] = [0, 0];
  for (let place = 0; place < 4; place++) high = high * 256 + bytes[place]!;
  for (let place = 4; place < 8; place++) low = low * 256 + bytes[place]!;
  return (BigInt(high) << 32n) | BigInt(low);
}
