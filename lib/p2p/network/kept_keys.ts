import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { latin1Text } from "./latin1_text.ts";
import type { PrivateKey } from "./libp2p_types.ts";

/** Anybody can make up authors: no more of their keys are kept. */
const mostKeys = 10_000;

/** By the bytes of the public key. */
const publicKeys = new Map<string, KeyObject>();

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");

function publicKeyOf(raw: Uint8Array): KeyObject {
  const name = latin1Text(raw);
  let key = publicKeys.get(name);
  if (key === undefined) {
    key = createPublicKey({
      format: "jwk",
      key: { kty: "OKP", crv: "Ed25519", x: base64url(raw) },
    });
    if (publicKeys.size < mostKeys) publicKeys.set(name, key);
  }
  return key;
}

/** What is used of `Ed25519PublicKey` of `@libp2p/crypto`. */
interface Verifier {
  readonly raw: Uint8Array;
  verify(data: Uint8Array | { subarray(): Uint8Array }, signature: Uint8Array): boolean;
}

/**
 * Makes an ed25519 key pair sign, and every ed25519 key verify, with keys that are imported once: the
 * library imports them for each message anew, which takes as long as the signature itself.
 */
export function keepKeys(privateKey: PrivateKey): void {
  const { raw } = privateKey;
  const own = createPrivateKey({
    format: "jwk",
    key: {
      ...{ kty: "OKP", crv: "Ed25519" },
      d: base64url(raw.subarray(0, 32)),
      x: base64url(raw.subarray(32)),
    },
  });
  privateKey.sign = (data) => sign(null, data.subarray(), own);
  // Each message brings a key object of its own: what they share is their class.
  const shared = Object.getPrototypeOf(privateKey.publicKey) as Verifier;
  shared.verify = function (data, signature) {
    return verify(null, data.subarray(), publicKeyOf(this.raw), signature);
  };
}
