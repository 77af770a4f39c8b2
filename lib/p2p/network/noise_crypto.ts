import { createHash } from "node:crypto";
import { type ICryptoInterface, noise, pureJsCrypto } from "@libp2p/noise";
import sodium from "libsodium-wrappers";
import { errorOf } from "../../errors.ts";
import type { Bytes, Uint8ArrayList } from "./bytes.ts";
import { handDirectly, type MessageSource, tellListenersAlone } from "./direct_messages.ts";
import { NoiseFrames } from "./noise_frames.ts";

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
async function sodiumCrypto(): Promise<ICryptoInterface & Frames> {
  shared ??= await load();
  const { module, places } = shared;
  const { input, output } = places;

  /** Puts everything in place; the lengths are bounded by noise's frames. */
  function prepare(text: Bytes, nonce: Uint8Array, additional: Uint8Array, key: Uint8Array): void {
    if (text.byteLength > largestFrame + tagBytes || additional.byteLength > mostAdditionalBytes) {
      throw new RangeError(`a frame of ${text.byteLength} bytes is longer than noise allows`);
    }
    const heap = module.HEAPU8;
    write(heap, text, input);
    heap.set(nonce, places.nonce);
    heap.set(additional, places.additional);
    heap.set(key, places.key);
  }

  /** Where the next frame that is encrypted goes, instead of into bytes of its own. */
  let target: Uint8Array | undefined;
  let targetStart = 0;

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
      const failed = module._crypto_aead_chacha20poly1305_ietf_encrypt(
        ...[output, 0, input, plaintext.byteLength, 0],
        ...[places.additional, additional.byteLength, 0, 0, places.nonce, places.key],
      );
      if (failed !== 0) throw new Error("chacha20-poly1305 could not encrypt");
      const end = output + plaintext.byteLength + tagBytes;
      if (target === undefined) return module.HEAPU8.slice(output, end);
      target.set(module.HEAPU8.subarray(output, end), targetStart);
      return target;
    },
    chaCha20Poly1305Decrypt: (ciphertext, nonce, additional, key, place) => {
      if (ciphertext.byteLength < tagBytes) throw new Error("a frame is shorter than its tag");
      prepare(ciphertext, nonce, additional, key);
      const failed = module._crypto_aead_chacha20poly1305_ietf_decrypt(
        ...[output, 0, 0, input, ciphertext.byteLength, 0],
        ...[places.additional, additional.byteLength, 0, places.nonce, places.key],
      );
      if (failed !== 0) throw new Error("a frame does not decrypt with the key of its connection");
      const end = output + ciphertext.byteLength - tagBytes;
      if (place === undefined) return module.HEAPU8.slice(output, end);
      place.set(module.HEAPU8.subarray(output, end));
      return place;
    },
    encryptInto: (encrypt, plaintext, bytes, start) => {
      target = bytes;
      targetStart = start;
      try {
        encrypt(plaintext);
      } finally {
        target = undefined;
      }
    },
  };
}

/** How a stream of noise writes its frames. */
interface Frames {
  /** Encrypts one frame straight to its place. */
  encryptInto(
    encrypt: (plaintext: Bytes) => unknown,
    plaintext: Bytes,
    bytes: Uint8Array,
    start: number,
  ): void;
}

/** What is used of `EncryptedMessageStream` of `@libp2p/noise`. */
interface EncryptedStream extends MessageSource {
  readonly handshake: {
    encrypt(plaintext: Bytes): Bytes;
    decrypt(ciphertext: Bytes, place?: Uint8Array): Bytes;
  };
  decoder: { decode(piece: Bytes): Iterable<Bytes>; readonly buffer?: Uint8ArrayList };
  encrypt(plaintext: Bytes): Bytes;
  decrypt(ciphertext: Bytes): Bytes;
  abort(reason: Error): void;
}

/** What is used of `TCPSocketMultiaddrConnection` of `@libp2p/tcp`. */
interface SocketConnection extends MessageSource {
  readonly socket?: { write(bytes: Uint8Array): boolean };
  sendData(data: Bytes): { readonly sentBytes: number; readonly canSendMore: boolean };
}

/** The encryption of a host. */
export async function sodiumNoise(): Promise<ReturnType<typeof noise>> {
  const crypto = await sodiumCrypto();
  const create = noise({ crypto });
  const join = (connection: unknown, secured: unknown) => {
    tighten(secured as EncryptedStream, crypto);
    writeAtOnce(connection as SocketConnection);
    readAtOnce(connection as SocketConnection, secured as EncryptedStream);
  };
  return (components) => {
    const encrypter = create(components);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    encrypter.secureOutbound = async (connection, options) => {
      const secured = await secureOutbound(connection, options);
      join(connection, secured.connection);
      return secured;
    };
    encrypter.secureInbound = async (connection, options) => {
      const secured = await secureInbound(connection, options);
      join(connection, secured.connection);
      return secured;
    };
    return encrypter;
  };
}

const lengthBytes = 2;
const largestPlaintext = largestFrame - tagBytes;

/**
 * Makes a stream write all frames of a turn into one piece of memory, and read each into the memory
 * that it came in: the library makes four pieces of every frame.
 */
function tighten(stream: EncryptedStream, { encryptInto }: Frames): void {
  const { handshake } = stream;
  // What came with the end of the handshake may be in the library's already.
  stream.decoder = new NoiseFrames(stream.decoder.buffer);
  const encrypt = (plaintext: Bytes) => handshake.encrypt(plaintext);
  stream.encrypt = (plaintext) => {
    const bytes = plaintext.byteLength;
    const frames = Math.ceil(bytes / largestPlaintext);
    const output = new Uint8Array(bytes + frames * (lengthBytes + tagBytes));
    let at = 0;
    for (let start = 0; start < bytes; start += largestPlaintext) {
      const end = Math.min(start + largestPlaintext, bytes);
      const frameBytes = end - start + tagBytes;
      output[at++] = frameBytes >>> 8;
      output[at++] = frameBytes;
      const part = frames === 1
        ? plaintext
        : plaintext instanceof Uint8Array
        ? plaintext.subarray(start, end)
        : plaintext.sublist(start, end);
      encryptInto(encrypt, part, output, at);
      at += frameBytes;
    }
    return output;
  };
  stream.decrypt = (ciphertext) => {
    if (ciphertext.byteLength < tagBytes) throw new Error("a frame is shorter than its tag");
    const piece = ciphertext.subarray();
    return handshake.decrypt(piece, piece.subarray(0, piece.byteLength - tagBytes));
  };
}

/** Makes a connection hand all that it sends at once to its socket in one call. */
function writeAtOnce(connection: SocketConnection): void {
  const { socket } = connection;
  if (socket === undefined) return;
  connection.sendData = (data) => ({
    sentBytes: data.byteLength,
    canSendMore: socket.write(data.subarray()),
  });
}

/** Makes a connection hand all that comes to its encryption directly. */
function readAtOnce(connection: SocketConnection, secured: EncryptedStream): void {
  tellListenersAlone(connection);
  tellListenersAlone(secured);
  handDirectly(connection, (bytes) => {
    try {
      for (const frame of secured.decoder.decode(bytes)) secured.onData(secured.decrypt(frame));
    } catch (cause) {
      secured.abort(errorOf(cause));
    }
  });
}
