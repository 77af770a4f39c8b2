import { createHash } from "node:crypto";
import { type ICryptoInterface, noise, pureJsCrypto } from "@libp2p/noise";
import sodium from "libsodium-wrappers";
import type { Bytes } from "./bytes.ts";

/**
 * The cryptography of noise. `@libp2p/noise` takes chacha20-poly1305 for frames of 1,200 bytes and
 * more from `node:crypto`, where Bun has none; so all of it comes from libsodium, without the copies
 * and allocations of its JavaScript wrappers: each frame is written straight into the module's
 * memory and the result copied out once.
 */

/** What is used of the module behind the wrappers. */
interface SodiumModule {
  /** Replaced when the memory grows: never keep it. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt(
    ...pointersAndLengths: readonly number[]
  ): number;
  _crypto_aead_chacha20poly1305_ietf_decrypt(
    ...pointersAndLengths: readonly number[]
  ): number;
}

/** Bytes of a frame of noise, the tag included. */
const largestFrame = 65_535;
const tagBytes = 16;
const keyBytes = 32;
const nonceBytes = 12;
/** The handshake authenticates a hash of 32 bytes; frames after it nothing. */
const mostAdditionalBytes = 64;

/** Places in the module's memory. */
interface Places {
  readonly input: number;
  readonly output: number;
  readonly key: number;
  readonly nonce: number;
  readonly additional: number;
}

let shared: { readonly module: SodiumModule; readonly places: Places } | undefined;

async function load(): Promise<{ readonly module: SodiumModule; readonly places: Places }> {
  await sodium.ready;
  // The types of the wrappers leave the module out.
  const module = (sodium as unknown as { readonly libsodium: SodiumModule }).libsodium;
  const places = {
    input: module._malloc(largestFrame + tagBytes),
    output: module._malloc(largestFrame + tagBytes),
    key: module._malloc(keyBytes),
    nonce: module._malloc(nonceBytes),
    additional: module._malloc(mostAdditionalBytes),
  };
  return { module, places };
}

/** Writes bytes of one or several pieces. */
function write(heap: Uint8Array, bytes: Bytes, at: number): void {
  if (bytes instanceof Uint8Array) {
    heap.set(bytes, at);
    return;
  }
  let next = at;
  for (const piece of bytes) {
    heap.set(piece, next);
    next += piece.byteLength;
  }
}

/** libsodium's functions for noise, ready to use. */
async function sodiumCrypto(): Promise<ICryptoInterface> {
  shared ??= await load();
  const { module, places } = shared;

  /** Puts everything in place; the lengths are bounded by noise's frames. */
  function prepare(text: Bytes, nonce: Uint8Array, additional: Uint8Array, key: Uint8Array): void {
    if (text.byteLength > largestFrame + tagBytes || additional.byteLength > mostAdditionalBytes) {
      throw new RangeError(`a frame of ${text.byteLength} bytes is longer than noise allows`);
    }
    const heap = module.HEAPU8;
    write(heap, text, places.input);
    heap.set(nonce, places.nonce);
    heap.set(additional, places.additional);
    heap.set(key, places.key);
  }

  return {
    ...pureJsCrypto,
    hashSHA256: (data) => {
      const hash = createHash("sha256");
      if (data instanceof Uint8Array) hash.update(data);
      else for (const piece of data) hash.update(piece);
      return hash.digest();
    },
    generateX25519KeyPair: () => {
      const { publicKey, privateKey } = sodium.crypto_box_keypair();
      return { publicKey, privateKey };
    },
    generateX25519KeyPairFromSeed: (seed) => ({
      publicKey: sodium.crypto_scalarmult_base(seed),
      privateKey: seed,
    }),
    generateX25519SharedKey: (privateKey, publicKey) =>
      sodium.crypto_scalarmult(privateKey.subarray(), publicKey.subarray()),
    chaCha20Poly1305Encrypt: (plaintext, nonce, additional, key) => {
      prepare(plaintext, nonce, additional, key);
      const { input, output } = places;
      const failed = module._crypto_aead_chacha20poly1305_ietf_encrypt(
        ...[output, 0, input, plaintext.byteLength, 0],
        ...[places.additional, additional.byteLength, 0, 0, places.nonce, places.key],
      );
      if (failed !== 0) throw new Error("chacha20-poly1305 could not encrypt");
      return module.HEAPU8.slice(output, output + plaintext.byteLength + tagBytes);
    },
    chaCha20Poly1305Decrypt: (ciphertext, nonce, additional, key) => {
      if (ciphertext.byteLength < tagBytes) throw new Error("a frame is shorter than its tag");
      prepare(ciphertext, nonce, additional, key);
      const { input, output } = places;
      const failed = module._crypto_aead_chacha20poly1305_ietf_decrypt(
        ...[output, 0, 0, input, ciphertext.byteLength, 0],
        ...[places.additional, additional.byteLength, 0, places.nonce, places.key],
      );
      if (failed !== 0) throw new Error("a frame does not decrypt with the key of its connection");
      return module.HEAPU8.slice(output, output + ciphertext.byteLength - tagBytes);
    },
  };
}

/** The encryption of a host. */
export async function sodiumNoise(): Promise<ReturnType<typeof noise>> {
  return noise({ crypto: await sodiumCrypto() });
}
