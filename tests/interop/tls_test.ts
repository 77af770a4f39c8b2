import { afterAll } from "bun:test";
import assert from "node:assert/strict";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { testWith } from "../programs.ts";
import { LocalServer } from "../server/running_server.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { Directory, freePort, Program } from "./program.ts";

const directory = new Directory();
afterAll(() => directory[Symbol.dispose]());

/** Files of a certificate for loopback and of the authority that signed it. */
async function certificateFiles(name: string) {
  const { ca, cert, key } = await makeCertificate({
    names: ["localhost", `${name}.example`],
    addresses: ["127.0.0.1"],
  });
  const [caFile, certFile, keyFile] = [
    await directory.write(`${name}-ca.pem`, ca),
    await directory.write(`${name}-cert.pem`, cert),
    await directory.write(`${name}-key.pem`, key),
  ];
  return { caFile, certFile, keyFile };
}

/** A TLS server that keeps the certificate that it made, as a user would start it. */
async function serve() {
  const path = `${directory.path}/made`;
  const server = await LocalServer.start(["tls://127.0.0.1:0"], { writeCertDirectory: path });
  return { server, port: server.portOf("tls"), caFile: `${path}/ca.pem` };
}

/** `openssl s_client`, which ends when what it connects to does not verify. */
function sClient(port: number, caFile: string, ...options: readonly string[]): string[] {
  const verified = ["-verify_return_error", "-verify_ip", "127.0.0.1", "-CAfile", caFile];
  return ["openssl", "s_client", "-connect", `127.0.0.1:${port}`, ...verified, ...options];
}

for (const [option, version] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]] as const) {
  testWith(["openssl"])(`openssl s_client verifies --write-cert's CA: ${version}`, async () => {
    const { server, port, caFile } = await serve();
    await using _ = server;
    await using client = new Program(sClient(port, caFile, option));
    await client.says(/Verify return code: 0 \(ok\)/);
    await client.says(new RegExp(`New, ${version}`));
    await client.write("a line that comes back\n");
    await client.says(/^a line that comes back$/m);
    client.endInput();
    assert.equal(await client.ended(), 0);
    const { total } = await server.snapshotWith("it has gone", ({ total }) => total.open === 0);
    assert.equal(total.accepted, 1);
    assert.equal(total.bytesReceived, total.bytesSent);
    assert.deepEqual(total.refused, {});
  });
}

testWith(["openssl"])("holdfast server takes clients of whatever protocol they offer", async () => {
  const { server, port, caFile } = await serve();
  await using _ = server;
  await using client = new Program(sClient(port, caFile, "-alpn", "h2,dot"));
  await client.says(/Verify return code: 0 \(ok\)/);
  await client.write("a line that comes back\n");
  await client.says(/^a line that comes back$/m);
});

testWith(["openssl"])("holdfast client and openssl s_server agree on a protocol", async () => {
  const { caFile, certFile, keyFile } = await certificateFiles("alpn");
  const port = await freePort();
  await using program = await Program.start(
    [
      ...["openssl", "s_server", "-accept", `127.0.0.1:${port}`, "-alpn", "dot,echo"],
      ...["-cert", certFile, "-key", keyFile],
    ],
    /ACCEPT/,
  );
  const target = [`tls://127.0.0.1:${port}`, "--ca", caFile, "-t", "200ms"];
  const { exitCode, err, snapshot } = await runClient([...target, "--alpn", "x", "--alpn", "echo"]);
  assert.equal(exitCode, 0, err);
  assert.equal(snapshot?.connections.open, 1);
  await program.says(/ALPN protocols selected: echo/);
  const stranger = await runClient([...target, "--alpn", "h2"]);
  assert.equal(stranger.exitCode, 4);
  assert.match(stranger.err, /^holdfast: tls:[^\n]*NO_APPLICATION_PROTOCOL[^\n]*--alpn\.\n$/);
});

testWith(["openssl"])("openssl s_client refuses a certificate of another authority", async () => {
  const { server, port } = await serve();
  await using _ = server;
  const { caFile } = await certificateFiles("stranger");
  await using client = new Program(sClient(port, caFile));
  assert.notEqual(await client.ended(), 0);
  assert.match(client.text, /verify error|certificate verify failed/);
  const { total } = await server.snapshotWith("it is counted", ({ total }) => {
    return Object.keys(total.refused).length > 0;
  });
  assert.deepEqual(total.refused, { tls: 1 });
  assert.equal(total.open, 0);
});

/** `socat` as an echo server over TLS 1.2 or later. */
async function socatTls(options: Record<string, string | number>): Promise<[Program, number]> {
  const port = await freePort();
  const text = Object.entries(options).map(([name, value]) => `,${name}=${value}`).join("");
  const program = await Program.start(
    ["socat", "-d", "-d", `OPENSSL-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork${text}`, "PIPE"],
    /listening on/,
  );
  return [program, port];
}

const load = ["--verify", "-c", "10", "-r", "500", "-t", "500ms", "--size", "2000"];

testWith(["socat"])("holdfast client gets every answer of a TLS echo by OpenSSL", async () => {
  const { caFile, certFile, keyFile } = await certificateFiles("socat");
  const [program, port] = await socatTls({ cert: certFile, key: keyFile, verify: 0 });
  await using _ = program;
  const target = `tls://127.0.0.1:${port}`;
  allAnswered(await runClient([target, "--ca", caFile, ...load]));
  allAnswered(await runClient([target, "--insecure", ...load]));
  const wrong = await runClient([target, "--ca", caFile, "--servername", "a.example", ...load]);
  assert.equal(wrong.exitCode, 4);
  assert.match(wrong.err, /^holdfast: tls:[^\n]*10 tls \([^\n]*a\.example[^\n]*--servername\.\n$/);
});

testWith(["socat"])("holdfast client shows its certificate to OpenSSL", async () => {
  const ours = await certificateFiles("server");
  const theirs = await certificateFiles("client");
  const [program, port] = await socatTls({
    cert: ours.certFile,
    key: ours.keyFile,
    cafile: theirs.caFile,
    verify: 1,
  });
  await using _ = program;
  const trusting = [`tls://127.0.0.1:${port}`, "--ca", ours.caFile, ...load];
  allAnswered(
    await runClient([...trusting, "--cert", theirs.certFile, "--key", theirs.keyFile]),
  );
  // With none, and with one of another authority, OpenSSL ends the connection.
  for (const shown of [[], ["--cert", ours.certFile, "--key", ours.keyFile]]) {
    const { exitCode, err, snapshot } = await runClient([...trusting, ...shown]);
    assert.equal(exitCode, 4);
    assert.match(err, /^holdfast: tls:[^\n]*\n$/);
    assert.equal(snapshot?.messages.answered, 0);
  }
}, 20_000);
