import { generateKeyPairFromSeed, publicKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey, peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id";
import { UsageError } from "../errors.ts";
import type { PeerId, PrivateKey } from "./network/libp2p_types.ts";

/**
 * The ed25519 secret of a node: its id as 8 little-endian bytes, then 24 zeros. Anyone can compute
 * it, so that every node of a benchmark knows the peer ids of all others; it protects nothing.
 */
export function secretOf(nodeId: number): Uint8Array {
  const secret = new Uint8Array(32);
  new DataView(secret.buffer).setBigUint64(0, BigInt(nodeId), true);
  return secret;
}

/** The key pair of a node. */
export async function privateKeyOf(nodeId: number): Promise<PrivateKey> {
  return await generateKeyPairFromSeed("Ed25519", secretOf(nodeId));
}

/** The peer id of a node, in base58: `12D3KooW…`. */
export async function peerIdOf(nodeId: number): Promise<string> {
  return peerIdFromPrivateKey(await privateKeyOf(nodeId)).toString();
}

/** @throws {UsageError} the text is no peer id. */
export function parsePeerId(text: string): PeerId {
  try {
    return peerIdFromString(text);
  } catch (cause) {
    throw new UsageError(`"${text}" is no peer id; print one with holdfast p2p id N`, { cause });
  }
}

/** The peer id of an ed25519 public key of 32 bytes, in base58. */
export function peerIdOfKey(publicKey: Uint8Array): string {
  return peerIdFromPublicKey(publicKeyFromRaw(publicKey)).toString();
}
