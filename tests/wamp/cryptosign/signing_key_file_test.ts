import { test } from "bun:test";
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError } from "../../../lib/errors.ts";
import { SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { readSigningKey } from "../../../lib/wamp/cryptosign/signing_key_file.ts";
import { testWith } from "../../programs.ts";

function withFile<T>(content: string | Uint8Array, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-key-"));
  try {
    const path = join(folder, "key");
    writeFileSync(path, content, { mode: 0o600 });
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const read = (content: string | Uint8Array) =>
  withFile(content, (path) => Buffer.from(readSigningKey(path, "the key")).toString("hex"));

const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

test("readSigningKey() takes hex, bytes, Crossbar's file and PEM", () => {
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${seed}`, "hex");
  const crossbar = "Crossbar.io node private key - KEEP THIS SAFE!\n\ncreator: me@host\n" +
    `public-key-ed25519: ${"ab".repeat(32)}\nprivate-key-ed25519: ${seed}\n`;
  for (
    const content of [
      seed,
      `${seed.toUpperCase()}\n`,
      Buffer.from(seed, "hex"),
      crossbar,
      `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64")}\n-----END PRIVATE KEY-----\n`,
    ]
  ) {
    assert.equal(read(content), seed);
  }
});

testWith(["ssh-keygen"])("readSigningKey() takes a key that ssh-keygen made", () => {
  withFile("", (path) => {
    const generate = (...rest: string[]) =>
      Bun.spawnSync(["ssh-keygen", "-q", "-C", "a comment", "-f", path, ...rest], {
        stdin: new TextEncoder().encode("y\n"),
      });
    const made = generate("-t", "ed25519", "-N", "");
    assert.equal(made.exitCode, 0, made.stderr.toString());
    const key = new SigningKey(readSigningKey(path, "the key"));
    // The last 32 bytes of its public key.
    const [, encoded = ""] = readFileSync(`${path}.pub`, "utf8").split(" ");
    assert.equal(Buffer.from(encoded, "base64").subarray(-32).toString("hex"), key.publicKey);
    assert.equal(generate("-t", "ed25519", "-N", "secret").exitCode, 0);
    assert.throws(() => readSigningKey(path, "the key"), /is encrypted; take a copy without/);
    assert.equal(generate("-t", "ecdsa", "-N", "").exitCode, 0);
    assert.throws(() => readSigningKey(path, "the key"), /has no key of Ed25519 for the key/);
  });
});

test("readSigningKey() refuses what is no such key, and does not show it", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { privateKey: own } = generateKeyPairSync("ed25519");
  const cipher = { cipher: "aes-256-cbc", passphrase: "x" };
  const ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\n%\n-----END OPENSSH PRIVATE KEY-----\n";
  for (
    const content of [
      "",
      seed.slice(1),
      `${seed}00`,
      "z".repeat(64),
      new Uint8Array(31),
      privateKey.export({ format: "pem", type: "pkcs8" }),
      own.export({ format: "pem", type: "pkcs8", ...cipher }),
      ssh.replace("%", ""),
      ssh.replace("%", Buffer.from("openssh-key-v1\0").toString("base64")),
      ssh.replace("%", Buffer.from("openssh-key-v1\0\0\0\0\x09none").toString("base64")),
      ssh.replace(
        "%",
        Buffer.from("openssh-key-v1\0\0\0\0\x04none\xff\xff\xff\xff").toString("base64"),
      ),
    ]
  ) {
    assert.throws(() => read(content), (error) => {
      assert.ok(error instanceof FileError);
      assert.match(error.message, /has no key of Ed25519 for the key: 64 hex digits/);
      return !error.message.includes(seed.slice(1, 20));
    });
  }
  assert.throws(() => readSigningKey("/nowhere/key", "the key"), /cannot read the key, \/nowhere/);
});
