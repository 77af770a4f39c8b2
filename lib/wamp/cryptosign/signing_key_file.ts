import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { FileError, messageOf } from "../../errors.ts";

const seedBytes = 32;

/**
 * The seed of an Ed25519 key, 32 bytes, from any of the files in which such keys are kept: hex digits or
 * bytes alone, a PEM file of OpenSSL (PKCS #8) or of OpenSSH (PROTOCOL.key), Crossbar's `key.priv`.
 *
 * @param what says in errors whose key it is.
 * @throws {FileError} the file cannot be read, or has no such key; the message never has its content.
 */
export function readSigningKey(path: string, what: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new FileError(`cannot read ${what}, ${path}: ${messageOf(cause)}`, { cause });
  }
  if (bytes.length === seedBytes) return bytes;
  const text = bytes.toString("latin1").trim();
  const seed = seedOfHex(text) ?? seedOfCrossbar(text) ?? seedOfPem(text, path, what);
  if (seed !== undefined) return seed;
  throw new FileError(
    `${path} has no key of Ed25519 for ${what}: 64 hex digits (32 bytes) were expected, or a file ` +
      "of OpenSSH, OpenSSL or Crossbar",
  );
}

/** 32 bytes in hex; undefined for any other text. */
export function seedOfHex(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : undefined;
}

function seedOfCrossbar(text: string): Uint8Array | undefined {
  const found = /^private-key-ed25519:\s*([0-9a-f]{64})\s*$/im.exec(text)?.[1];
  return found === undefined ? undefined : seedOfHex(found);
}

function seedOfPem(text: string, path: string, what: string): Uint8Array | undefined {
  const pem = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----([\w+/=\s]*)-----END \1-----/.exec(text);
  if (pem === null) return undefined;
  if (pem[1] === "OPENSSH PRIVATE KEY") {
    return seedOfOpenSsh(Buffer.from(pem[2]!, "base64"), path, what);
  }
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType !== "ed25519") return undefined;
    return Buffer.from(key.export({ format: "jwk" }).d!, "base64url");
  } catch {
    return undefined; // encrypted, or damaged
  }
}

/** OpenSSH's PROTOCOL.key: names of the encryption, public keys, and a list of private ones. */
function seedOfOpenSsh(bytes: Buffer, path: string, what: string): Uint8Array | undefined {
  const magic = "openssh-key-v1\0";
  if (bytes.toString("latin1", 0, magic.length) !== magic) return undefined;
  try {
    const file = new SshReader(bytes.subarray(magic.length));
    const cipher = file.text();
    if (cipher !== "none") {
      throw new FileError(
        `${path}, ${what}, is encrypted; take a copy without its passphrase ` +
          "(ssh-keygen -p -N '' -f copy)",
      );
    }
    file.text();
    file.string();
    file.uint32();
    file.string();
    const list = new SshReader(file.string());
    // Two numbers that are the same where the decryption was right.
    list.uint32();
    list.uint32();
    if (list.text() !== "ssh-ed25519") return undefined;
    list.string();
    const seed = list.string().subarray(0, seedBytes);
    return seed.length === seedBytes ? seed : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined; // it ends early
    throw error;
  }
}

/** Numbers and strings of SSH (RFC 4251, section 5). */
class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  string(): Buffer {
    const length = this.uint32();
    if (length > this.#bytes.length - this.#at) throw new RangeError("a string ends early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.string().toString("latin1");
  }
}
