import { test } from "bun:test";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError, UsageError } from "../../lib/errors.ts";
import {
  loadAuthorities,
  loadCertificate,
  makeCertificate,
} from "../../lib/transport/certificates.ts";
import { testWith } from "../programs.ts";

const names = ["box.example", "localhost"];
const addresses = ["127.0.0.1", "::1", "2001:db8::25", "fe80::1%eth0"];
const made = await makeCertificate({ names, addresses });
const other = await makeCertificate({ names: ["other.example"], addresses: [] });

/** Made with OpenSSL for this test and used nowhere else; it expired on 2020-02-01. */
const expired = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBGjCBwgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9leHBpcmVkLmV4YW1w
bGUwHhcNMjAwMTAxMDAwMDAwWhcNMjAwMjAxMDAwMDAwWjAaMRgwFgYDVQQDDA9l
eHBpcmVkLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATPXIYiSNn4
lSEZImdrczCCHX0ZKcCzfdwm8AC7c1j6JgdHf9HkQtJdjb91YPzMaj3GmadmyAKI
Fsv3j2OLua9NMAoGCCqGSM49BAMCA0cAMEQCIErJyG+yxSvSJwgSmcNcqIwP0vbZ
1BOqukKVwTEia/wcAiArBgZN4eR/TeT/plPRhI8fogcK8ArQynRO6oksiC5cRg==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1K00Rbz1jG7tqgIw
0CLvF6QovH7V7UQ5LhPedoai6/OhRANCAATPXIYiSNn4lSEZImdrczCCHX0ZKcCz
fdwm8AC7c1j6JgdHf9HkQtJdjb91YPzMaj3GmadmyAKIFsv3j2OLua9N
-----END PRIVATE KEY-----
`,
};

function blocks(pem: string): X509Certificate[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((block) => new X509Certificate(block));
}

test("makeCertificate() makes a leaf that its authority signed, and sends the leaf alone", () => {
  const [leaf, ...others] = blocks(made.cert);
  const [authority] = blocks(made.ca);
  assert.equal(others.length, 0);
  assert.ok(leaf!.verify(authority!.publicKey));
  assert.ok(leaf!.checkIssued(authority!));
  assert.ok(authority!.verify(authority!.publicKey));
  assert.ok(authority!.ca);
  assert.ok(!leaf!.ca);
  assert.notEqual(leaf!.serialNumber, authority!.serialNumber);
  assert.equal(leaf!.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
});

test("makeCertificate() names every host and address, without zones", () => {
  const [leaf] = blocks(made.cert);
  for (const name of names) assert.equal(leaf!.checkHost(name), name);
  for (const address of ["127.0.0.1", "::1", "2001:db8::25", "fe80::1"]) {
    assert.ok(leaf!.checkIP(address), address);
  }
  assert.equal(leaf!.checkHost("elsewhere.example"), undefined);
  assert.equal(leaf!.checkIP("127.0.0.2"), undefined);
});

test("makeCertificate() is valid now and for most of a year", () => {
  for (const certificate of blocks(made.cert + made.ca)) {
    assert.ok(Date.parse(certificate.validFrom) < Date.now() - 3_600_000);
    assert.ok(Date.parse(certificate.validTo) > Date.now() + 300 * 86_400_000);
  }
});

test("makeCertificate() makes a key and an authority of its own each time", () => {
  assert.notEqual(made.key, other.key);
  const [authority] = blocks(made.ca);
  const [otherAuthority] = blocks(other.ca);
  assert.notEqual(authority!.subject, otherAuthority!.subject);
  assert.ok(!blocks(other.cert)[0]!.verify(authority!.publicKey));
});

test("makeCertificate() refuses to name nobody, and what is no address", async () => {
  await assert.rejects(makeCertificate({ names: [], addresses: [] }), UsageError);
  await assert.rejects(
    makeCertificate({ names: [], addresses: ["1.2.3"] }),
    (error) => error instanceof UsageError && error.message.includes("1.2.3"),
  );
});

testWith(["openssl"])(
  "makeCertificate() passes openssl verify",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-"));
    await Bun.write(`${directory}/ca.pem`, made.ca);
    await Bun.write(`${directory}/cert.pem`, made.cert);
    const run = Bun.spawnSync([
      "openssl",
      "verify",
      "-x509_strict",
      "-purpose",
      "sslserver",
      "-verify_hostname",
      "box.example",
      "-CAfile",
      `${directory}/ca.pem`,
      `${directory}/cert.pem`,
    ]);
    rmSync(directory, { recursive: true });
    assert.equal(run.exitCode, 0, run.stderr.toString() + run.stdout.toString());
  },
);

test("loadCertificate() takes what makeCertificate() made", () => {
  assert.deepEqual(loadCertificate(made.cert, made.key), { cert: made.cert, key: made.key });
});

function failsWith(cert: string, key: string, pattern: RegExp): void {
  assert.throws(
    () => loadCertificate(cert, key),
    (error) => {
      assert.ok(error instanceof FileError);
      assert.match(error.message, pattern);
      assert.ok(!error.message.includes("\n"));
      return true;
    },
  );
}

test("loadCertificate() says what is wrong", () => {
  failsWith("hello", made.key, /certificate is not PEM/);
  failsWith("", made.key, /certificate is not PEM/);
  failsWith(made.key, made.key, /certificate is not PEM/);
  failsWith(made.cert, "hello", /key is not an unencrypted PEM/);
  failsWith(made.cert, made.cert, /key is not an unencrypted PEM/);
  failsWith(made.cert, other.key, /key does not belong to the certificate/);
  // The chain in the wrong order: the first certificate is the authority's.
  failsWith(made.ca + made.cert, made.key, /key does not belong to the certificate/);
  failsWith(expired.cert, expired.key, /expired on .*2020/);
});

test("loadCertificate() refuses truncated and random input with a FileError", () => {
  for (let length = 0; length < made.cert.length - 1; length += 97) {
    const cut = made.cert.slice(0, length);
    if (/-----END CERTIFICATE-----/.test(cut)) break; // the leaf is whole
    assert.throws(() => loadCertificate(cut, made.key), FileError);
  }
  for (let length = 0; length < made.key.length - 30; length += 7) {
    assert.throws(() => loadCertificate(made.cert, made.key.slice(0, length)), FileError);
  }
  for (let round = 0; round < 50; round++) {
    const noise = crypto.getRandomValues(new Uint8Array(200));
    const body = noise.toBase64();
    const cert = `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
    const key = `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
    assert.throws(() => loadCertificate(cert, made.key), FileError);
    assert.throws(() => loadCertificate(made.cert, key), FileError);
    assert.throws(() => loadAuthorities(cert), FileError);
    assert.throws(() => loadCertificate(new TextDecoder("latin1").decode(noise), key), FileError);
  }
});

test("loadAuthorities() takes one or more certificates and nothing else", () => {
  assert.equal(loadAuthorities(made.ca), made.ca);
  assert.equal(loadAuthorities(made.ca + other.ca), made.ca + other.ca);
  assert.throws(() => loadAuthorities(made.key), FileError);
});
