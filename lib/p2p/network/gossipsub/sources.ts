import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { peerIdOfKey } from "../../identity.ts";

/**
 * Who signs messages: peer ids as bytes, in base58 and as keys, computed once for each peer.
 */

/** A peer id that contains an ed25519 key: an identity multihash of a protobuf-encoded key. */
const ed25519Lead = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

/** Bytes of such a peer id. */
const ed25519IdBytes = ed25519Lead.byteLength + 32;

/** Strangers that sign messages of their own can be many; beyond this the oldest are forgotten. */
const mostSources = 10_000;

/** An author of messages. */
export interface Source {
  /** In base58. */
  readonly peerId: string;
  readonly key: KeyObject;
  /** As a message carries it in its field `key`. */
  readonly keyBytes: Uint8Array;
}

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");

/** The key of an ed25519 public key of 32 bytes. */
function publicKeyOf(raw: Uint8Array): KeyObject {
  return createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: base64url(raw) },
    format: "jwk",
  });
}

/** Signs with an ed25519 secret of 32 bytes, whose public key is given too. */
export function signer(
  secret: Uint8Array,
  publicKey: Uint8Array,
): (bytes: Uint8Array) => Uint8Array {
  const key = createPrivateKey({
    key: { kty: "OKP", crv: "Ed25519", d: base64url(secret), x: base64url(publicKey) },
    format: "jwk",
  });
  return (bytes) => sign(null, bytes, key);
}

/** The peer id of an ed25519 public key of 32 bytes, in bytes. */
export function peerIdBytes(publicKey: Uint8Array): Uint8Array {
  return Buffer.concat([ed25519Lead, publicKey]);
}

export class Sources {
  private readonly byId = new Map<string, Source>();

  /** The author with this peer id; nothing where it contains no ed25519 key. */
  of(bytes: Uint8Array, start: number, end: number): Source | undefined {
    if (end - start !== ed25519IdBytes) return undefined;
    for (let i = 0; i < ed25519Lead.byteLength; i++) {
      if (bytes[start + i] !== ed25519Lead[i]) return undefined;
    }
    const id = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
    return this.byId.get(id) ?? this.add(id, bytes.slice(start, end));
  }

  private add(id: string, peerId: Uint8Array): Source | undefined {
    const publicKey = peerId.subarray(ed25519Lead.byteLength);
    let source: Source;
    try {
      source = {
        peerId: peerIdOfKey(publicKey),
        key: publicKeyOf(publicKey),
        keyBytes: peerId.subarray(2),
      };
    } catch {
      return undefined;
    }
    if (this.byId.size >= mostSources) {
      for (const oldest of this.byId.keys()) {
        this.byId.delete(oldest);
        break;
      }
    }
    this.byId.set(id, source);
    return source;
  }
}

export function isSignedBy(
  source: Source,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(null, signed, source.key, signature);
  } catch {
    return false;
  }
}
