import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";

// Specification, section "Cryptosign-based Authentication": Ed25519 (RFC 8032), everything in hex.

/** What stands before the bytes of a key in its DER encodings (RFC 8410). */
const publicPrefix = Buffer.from("302a300506032b6570032100", "hex");
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex");

/** A pair of keys. */
export class SigningKey {
  /** 32 bytes in hex. */
  readonly publicKey: string;
  readonly #key: KeyObject;

  /** @param seed 32 bytes. */
  constructor(seed: Uint8Array) {
    const der = Buffer.concat([privatePrefix, seed]);
    this.#key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const publicDer = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.publicKey = publicDer.subarray(publicPrefix.length).toString("hex");
  }

  /**
   * Answers a challenge.
   *
   * @param challenge 32 bytes in hex.
   * @param channelId 32 bytes of the TLS connection, where the challenge is bound to it.
   * @returns signature and message signed, in hex: what AUTHENTICATE carries.
   */
  answer(challenge: string, channelId?: Uint8Array): string {
    const message = Buffer.from(challenge, "hex");
    channelId?.forEach((byte, index) => message[index]! ^= byte);
    return Buffer.concat([sign(null, message, this.#key), message]).toString("hex");
  }
}

/** A random challenge: 32 bytes in hex. */
export function newChallenge(): string {
  return randomBytes(32).toString("hex");
}

/** Whether text is a public key: 32 bytes in hex. */
export function isPublicKey(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{64}$/i.test(text);
}

/**
 * Whether an answer is the signature of that challenge by the owner of that key.
 *
 * @param publicKey 32 bytes in hex.
 * @param answer what AUTHENTICATE carries.
 */
export function isAnswer(publicKey: string, challenge: string, answer: string): boolean {
  if (!/^[0-9a-f]{192}$/i.test(answer) || !isPublicKey(publicKey)) return false;
  const bytes = Buffer.from(answer, "hex");
  const message = bytes.subarray(64);
  if (message.toString("hex") !== challenge) return false;
  try {
    const der = Buffer.concat([publicPrefix, Buffer.from(publicKey, "hex")]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    return verify(null, message, key, bytes.subarray(0, 64));
  } catch {
    return false; // not a point of the curve
  }
}
