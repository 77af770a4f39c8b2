import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dialSettings, readText } from "../../lib/client/dialing.ts";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { FileError, TargetUnreachableError } from "../../lib/errors.ts";
import { defaultSettings } from "../../lib/options/command_line.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { expectUndisturbed, undisturbed } from "../load/disturbance.ts";

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

function dialing(changes: Partial<ClientSettings>, endpoint = "tls://127.0.0.1:4243") {
  return dialSettings(parseEndpoint(endpoint), { ...defaultSettings(clientRows), ...changes });
}

async function rejects(changes: Partial<ClientSettings>, why: RegExp): Promise<void> {
  await assert.rejects(dialing(changes), (error) => {
    assert.ok(error instanceof FileError, String(error));
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test("dialSettings() leaves out what is not given", async () => {
  assert.deepEqual(await dialing({}), {
    capacity: 1,
    connectTimeoutMs: 5000,
    connectionsPerSocket: 32,
    datagrams: false,
    maxMessageBytes: 65_536,
    tls: { insecure: false, alpn: [] },
  });
});

test("dialSettings() hands settings and the content of files on", async () => {
  const settings = await dialing({
    connections: 9,
    connectTimeoutMs: 100,
    connectionsPerSocket: 1,
    datagrams: true,
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
    maxMessageBytes: 2_000_000,
    tls: {
      insecure: false,
      alpn: ["x", "y"],
      ca: ours.ca,
      servername: "a.example",
      certificate: { cert: ours.cert, key: ours.key },
    },
  });
  assert.equal((await dialing({ insecure: true })).tls.insecure, true);
});

test("dialSettings() takes several authorities from one file", async () => {
  const both = write("both.pem", ours.ca + others.ca);
  const { tls } = await dialing({ caFile: both });
  assert.equal(tls.ca?.match(/BEGIN CERTIFICATE/g)?.length, 2);
});

test("dialSettings() says which option named a file that is of no use", async () => {
  const missing = join(directory, "missing.pem");
  mkdirSync(join(directory, "folder"), { recursive: true });
  await rejects({ caFile: missing }, /^--ca \S+missing\.pem cannot be read: ENOENT/);
  await rejects({ caFile: join(directory, "folder") }, /^--ca \S+folder cannot be read: EISDIR/);
  await rejects({ caFile: noiseFile }, /^--ca \S+noise: .*BEGIN CERTIFICATE/);
  await rejects({ caFile: keyFile }, /^--ca \S+key\.pem: .*BEGIN CERTIFICATE/);
  await rejects({ certFile: missing, keyFile }, /^--cert \S+missing\.pem cannot be read/);
  await rejects({ certFile, keyFile: missing }, /^--key \S+missing\.pem cannot be read/);
  await rejects({ certFile: noiseFile, keyFile }, /^--cert \S+noise --key \S+key\.pem: /);
  await rejects({ certFile, keyFile: noiseFile }, /^--cert \S+cert\.pem --key \S+noise: /);
  await rejects(
    { certFile, keyFile: otherKeyFile },
    /^--cert \S+ --key \S+other-key\.pem: .*the key does not belong/,
  );
});

test("dialSettings() hands source ports out in turn, on the family of the target", async () => {
  const sourcePorts = { first: 61_001, last: 61_003 };
  for (
    const [endpoint, address] of [
      ["tcp://127.0.0.1:1", "0.0.0.0"],
      ["ws://127.0.0.1:1", "0.0.0.0"],
      ["tcp://[::1]:1", "::"],
      ["udp://[::1]:1", "::"],
    ] as const
  ) {
    const { sources } = await dialing({ sourcePorts }, endpoint);
    assert.ok(sources !== undefined);
    const handedOut: number[] = [];
    while (sources.next()) {
      assert.equal(sources.address, address);
      handedOut.push(sources.port);
    }
    // Others may use some of them at the moment.
    assert.ok(handedOut.length <= 3);
    assert.deepEqual(handedOut, [...new Set(handedOut)].sort());
    assert.ok(handedOut.every((port) => port >= 61_001 && port <= 61_003));
  }
});

test("dialSettings() skips the source ports in use by the protocol of the target alone", () =>
  // Others may use the same port with the other protocol.
  undisturbed(5, async () => {
    const datagrams = await Bun.udpSocket({ hostname: "0.0.0.0", socket: {} });
    const stream = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
    const isFree = async (scheme: string, port: number) => {
      const sourcePorts = { first: port, last: port };
      const { sources } = await dialing({ sourcePorts }, `${scheme}://127.0.0.1:1`);
      return sources!.next();
    };
    try {
      for (const scheme of ["tcp", "tls", "ws", "wss"]) {
        assert.ok(!await isFree(scheme, stream.port), scheme);
        expectUndisturbed(await isFree(scheme, datagrams.port), scheme);
      }
      assert.ok(!await isFree("udp", datagrams.port));
      expectUndisturbed(await isFree("udp", stream.port), "udp");
    } finally {
      datagrams.close();
      stream.stop(true);
    }
  }));

test("dialSettings() of source ports needs a target that resolves", async () => {
  const sourcePorts = { first: 61_001, last: 61_003 };
  await assert.rejects(
    dialing({ sourcePorts }, "tcp://no.such.host.invalid:1"),
    TargetUnreachableError,
  );
});

test("readText() reads a file, or says with which option it came", () => {
  assert.equal(readText(write("text", "grüße\n"), "--schedule"), "grüße\n");
  assert.throws(
    () => readText(join(directory, "none"), "--schedule"),
    (error) => error instanceof FileError && /^--schedule \S+none cannot be/.test(error.message),
  );
});
