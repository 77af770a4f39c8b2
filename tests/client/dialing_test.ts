import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dialSettings } from "../../lib/client/dialing.ts";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { FileError } from "../../lib/errors.ts";
import { defaultSettings } from "../../lib/options/command_line.ts";
import { readText } from "../../lib/transport/certificate_files.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-dialing-"));
afterAll(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string) => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const ours = await makeCertificate({ names: ["ours.example"], addresses: [] });
const others = await makeCertificate({ names: ["others.example"], addresses: [] });
const caFile = write("ca.pem", ours.ca);
const certFile = write("cert.pem", ours.cert);
const keyFile = write("key.pem", ours.key);
const otherKeyFile = write("other-key.pem", others.key);
const noiseFile = write("noise", "\0\x01 not PEM at all");

function dialing(changes: Partial<ClientSettings>) {
  return dialSettings({ ...defaultSettings(clientRows), ...changes }, undefined);
}

function rejects(changes: Partial<ClientSettings>, why: RegExp): void {
  assert.throws(() => dialing(changes), (error) => {
    assert.ok(error instanceof FileError, String(error));
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test("dialSettings() leaves out what is not given", () => {
  assert.deepEqual(dialing({}), {
    capacity: 1,
    connectTimeoutMs: 5000,
    connectionsPerSocket: 32,
    datagrams: false,
    idleTimeoutMs: 30_000,
    maxMessageBytes: 65_536,
    tls: { insecure: false, alpn: [] },
  });
});

test("dialSettings() hands settings and the content of files on", () => {
  const settings = dialing({
    connections: 9,
    connectTimeoutMs: 100,
    connectionsPerSocket: 1,
    datagrams: true,
    idleTimeoutMs: 2000,
    sizeBytes: 1_000_000,
    caFile,
    certFile,
    keyFile,
    servername: "a.example",
    alpn: ["x", "y"],
  });
  assert.deepEqual(settings, {
    capacity: 9,
    connectTimeoutMs: 100,
    connectionsPerSocket: 1,
    datagrams: true,
    idleTimeoutMs: 2000,
    maxMessageBytes: 2_000_000,
    tls: {
      insecure: false,
      alpn: ["x", "y"],
      ca: ours.ca,
      servername: "a.example",
      certificate: { cert: ours.cert, key: ours.key },
    },
  });
  assert.equal((dialing({ insecure: true })).tls.insecure, true);
});

test("dialSettings() takes several authorities from one file", () => {
  const both = write("both.pem", ours.ca + others.ca);
  const { tls } = dialing({ caFile: both });
  assert.equal(tls.ca?.match(/BEGIN CERTIFICATE/g)?.length, 2);
});

test("dialSettings() says which option named a file that is of no use", () => {
  const missing = join(directory, "missing.pem");
  mkdirSync(join(directory, "folder"), { recursive: true });
  rejects({ caFile: missing }, /^--ca \S+missing\.pem cannot be read: ENOENT/);
  rejects({ caFile: join(directory, "folder") }, /^--ca \S+folder cannot be read: EISDIR/);
  rejects({ caFile: noiseFile }, /^--ca \S+noise: .*BEGIN CERTIFICATE/);
  rejects({ caFile: keyFile }, /^--ca \S+key\.pem: .*BEGIN CERTIFICATE/);
  rejects({ certFile: missing, keyFile }, /^--cert \S+missing\.pem cannot be read/);
  rejects({ certFile, keyFile: missing }, /^--key \S+missing\.pem cannot be read/);
  rejects({ certFile: noiseFile, keyFile }, /^--cert \S+noise --key \S+key\.pem: /);
  rejects({ certFile, keyFile: noiseFile }, /^--cert \S+cert\.pem --key \S+noise: /);
  rejects(
    { certFile, keyFile: otherKeyFile },
    /^--cert \S+ --key \S+other-key\.pem: .*the key does not belong/,
  );
});

test("dialSettings() makes the table of sources", () => {
  const target = { addresses: ["127.0.0.1"], port: 1 };
  const { sources } = dialSettings(defaultSettings(clientRows), {
    ...{ addresses: ["127.0.0.4"], firstPort: 61_001, lastPort: 61_001, protocol: "tcp", target },
  });
  assert.ok(sources!.hasFamily(false));
  assert.ok(!sources!.hasFamily(true));
  assert.ok(sources!.next(false) >= 0);
  assert.deepEqual([sources!.address, sources!.port], ["127.0.0.4", 61_001]);
  assert.equal(sources!.next(false), -1);
});

test("readText() reads a file, or says with which option it came", () => {
  assert.equal(readText(write("text", "grüße\n"), "--schedule"), "grüße\n");
  assert.throws(
    () => readText(join(directory, "none"), "--schedule"),
    (error) => error instanceof FileError && /^--schedule \S+none cannot be/.test(error.message),
  );
});
