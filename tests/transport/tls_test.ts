import { test } from "bun:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { FileError, UsageError } from "../../lib/errors.ts";
import type { Failure } from "../../lib/stats/failure.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import { tls } from "../../lib/transport/tls.ts";
import type { ListenSettings, TlsDialSettings } from "../../lib/transport/transport.ts";
import { testWith } from "../programs.ts";
import { dialSettings, EchoRecorder, listenSettings, Recorder, until } from "./recorder.ts";

const ours = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
const others = await makeCertificate({ names: ["other.example"], addresses: [] });

function endpointOf(port: number, host = "127.0.0.1"): Endpoint {
  return { scheme: "tls", host, port, lastPort: port, path: "/" };
}

async function listen(own: Partial<ListenSettings> = {}) {
  const refusals: Failure[] = [];
  const server = new EchoRecorder();
  const settings = listenSettings(refusals, { certificate: ours, ...own });
  const listener = await tls.listen(endpointOf(0), server, settings);
  server.connections = listener;
  return { listener, server, refusals, port: listener.endpoint.port };
}

async function dial(port: number, own: Partial<TlsDialSettings>, host?: string) {
  const client = new Recorder("dialer");
  const settings = dialSettings(4, { tls: { insecure: false, alpn: [], ...own } });
  const dialer = await tls.dial(endpointOf(port, host), client, settings);
  return { client, dialer };
}

/** One connect; undefined when it opened, and echoed a byte. */
async function attempt(port: number, own: Partial<TlsDialSettings>, host?: string) {
  const { client, dialer } = await dial(port, own, host);
  const record = client.of(0);
  dialer.connect(0);
  await until(() => record.opens + record.closes > 0, "open or close");
  const wasOpen = record.isOpen;
  if (wasOpen) {
    assert.equal(dialer.send(0, new Uint8Array([7]), 0, 1, 1), 1);
    await until(() => record.bytes === 1 || record.closes + record.ends > 0, "the echo or an end");
  }
  // A server that reads what was sent before it hangs up ends the stream, and resets nothing.
  const hasHungUp = record.bytes === 0 && record.ends > 0;
  const failure = record.failure ??
    (hasHungUp ? { kind: "closed-by-peer", detail: "the server ended the stream" } : undefined);
  await dialer.shutdown();
  assert.equal(record.closes, 1);
  assert.deepEqual(client.violations, []);
  return { wasOpen, failure };
}

test("tls.dial() opens to a certificate that the given authority signed", async () => {
  const { listener, port } = await listen();
  for (const host of ["127.0.0.1", "localhost", ""]) {
    assert.ok((await attempt(port, { ca: ours.ca }, host)).wasOpen, host);
  }
  assert.ok((await attempt(port, { ca: ours.ca, servername: "localhost" })).wasOpen);
  assert.ok((await attempt(port, { ca: others.ca + ours.ca })).wasOpen);
  await listener.shutdown();
});

test("tls.dial() says which check a certificate failed", async () => {
  const { listener, server, refusals, port } = await listen();
  const unknown = await attempt(port, {});
  assert.equal(unknown.failure?.kind, "tls");
  assert.match(unknown.failure!.detail, /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_/);
  const wrongAuthority = await attempt(port, { ca: others.ca });
  assert.equal(wrongAuthority.failure?.kind, "tls");
  assert.match(wrongAuthority.failure!.detail, /certificate/);
  const wrongName = await attempt(port, { ca: ours.ca, servername: "other.example" });
  assert.equal(wrongName.failure?.kind, "tls");
  assert.match(wrongName.failure!.detail, /other\.example/);
  assert.ok(![unknown, wrongAuthority, wrongName].some((result) => result.wasOpen));
  // Each of them turned away on the listener too, and none was ever open there.
  await until(() => refusals.length === 3, () => JSON.stringify(refusals));
  assert.ok(refusals.every((failure) => failure.kind === "tls"), JSON.stringify(refusals));
  assert.equal(server.total("opens"), 0);
  await listener.shutdown();
});

test("tls.dial() verifies the address of an endpoint that has no name", async () => {
  const named = await makeCertificate({ names: ["localhost"], addresses: [] });
  const { listener, port } = await listen({ certificate: named });
  const byAddress = await attempt(port, { ca: named.ca }, "127.0.0.1");
  assert.equal(byAddress.failure?.kind, "tls");
  assert.match(byAddress.failure!.detail, /127\.0\.0\.1/);
  assert.ok((await attempt(port, { ca: named.ca }, "localhost")).wasOpen);
  assert.ok((await attempt(port, { insecure: true }, "127.0.0.1")).wasOpen);
  await listener.shutdown();
});

test("tls.dial() with insecure accepts any certificate", async () => {
  const { listener, port } = await listen({ certificate: others });
  assert.ok((await attempt(port, { insecure: true })).wasOpen);
  await listener.shutdown();
});

test("tls.dial() sends SNI for names and none for addresses", async () => {
  const names: unknown[] = [];
  const server = createTlsServer({ ...ours }, (socket) => {
    names.push((socket as TLSSocket & { servername: unknown }).servername);
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  assert.ok((await attempt(port, { ca: ours.ca }, "localhost")).wasOpen);
  assert.ok((await attempt(port, { ca: ours.ca }, "127.0.0.1")).wasOpen);
  assert.ok((await attempt(port, { insecure: true, servername: "elsewhere.example" })).wasOpen);
  assert.deepEqual(names, ["localhost", false, "elsewhere.example"]);
  server.close();
});

test("tls.dial() shows its certificate to a server that asks for one", async () => {
  const client = await makeCertificate({ names: ["client.example"], addresses: [] });
  const seen: string[] = [];
  const server = createTlsServer(
    { ...ours, ca: client.ca, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      seen.push(String(socket.getPeerCertificate().subject?.CN));
      socket.on("error", () => {});
      socket.pipe(socket);
    },
  ).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => {});
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const shown = await attempt(port, { ca: ours.ca, certificate: client });
  assert.ok(shown.wasOpen, shown.failure?.detail);
  assert.deepEqual(seen, ["client.example"]);
  // TLS 1.3 lets a client think that it is done before the server has looked at its certificate.
  for (const certificate of [undefined, others]) {
    const refused = await attempt(
      port,
      certificate === undefined ? { ca: ours.ca } : { ca: ours.ca, certificate },
    );
    assert.ok(
      ["tls", "closed-by-peer", "reset"].includes(refused.failure?.kind ?? ""),
      JSON.stringify(refused),
    );
  }
  assert.equal(seen.length, 1);
  server.close();
});

test("tls agrees on a protocol (ALPN), and refuses clients that offer others", async () => {
  const { listener, refusals, port } = await listen({ alpn: ["echo", "dot"] });
  const chosen = async (protocols: string[]) => {
    const socket = connectTls({ port, host: "127.0.0.1", ca: ours.ca, ALPNProtocols: protocols });
    await once(socket, "secureConnect");
    const { alpnProtocol } = socket;
    socket.destroy();
    return alpnProtocol;
  };
  assert.equal(await chosen(["dot"]), "dot");
  assert.equal(await chosen(["x", "echo"]), "echo");
  assert.ok((await attempt(port, { ca: ours.ca, alpn: ["h2", "dot"] })).wasOpen);
  assert.ok((await attempt(port, { ca: ours.ca })).wasOpen);
  const refused = await attempt(port, { ca: ours.ca, alpn: ["h2"] });
  assert.equal(refused.failure?.kind, "tls");
  await until(() => refusals.some((failure) => failure.kind === "tls"), "refused");
  await assert.rejects(dial(port, { alpn: [""] }), UsageError);
  await assert.rejects(dial(port, { alpn: ["x".repeat(256)] }), UsageError);
  await listener.shutdown();
});

test("tls.listen() counts what does not finish a handshake as refused", async () => {
  const { listener, server, refusals, port } = await listen();
  const inputs = ["GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02\x00", "", "SSH-2.0-x\r\n"];
  for (const [index, input] of inputs.entries()) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "connect");
    socket.write(input);
    await Bun.sleep(20);
    socket.end();
    await until(() => refusals.length === index + 1, `refusal of ${JSON.stringify(input)}`);
    socket.destroy();
  }
  assert.ok(refusals.every((failure) => failure.kind === "tls"), JSON.stringify(refusals));
  assert.equal(server.total("opens"), 0);
  assert.ok((await attempt(port, { ca: ours.ca })).wasOpen);
  await listener.shutdown();
});

test("terminate() ends a handshake in progress", async () => {
  // Takes connections and says nothing: the handshake never ends by itself.
  const silent = createServer((socket) => void socket.on("error", () => {}).resume());
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const { client, dialer } = await dial(port, { ca: ours.ca });
  let accepted = 0;
  silent.on("connection", () => accepted++);
  dialer.connect(0);
  dialer.connect(1);
  await until(() => accepted === 2, "both connections");
  await Bun.sleep(20);
  assert.equal(dialer.send(0, new Uint8Array(1), 0, 1, 1), 0);
  dialer.terminate(0);
  dialer.close(1);
  await until(() => client.total("closes") === 2, "both closes");
  assert.deepEqual([client.of(0).failure, client.of(1).failure], [undefined, undefined]);
  assert.equal(client.total("opens"), 0);
  await dialer.shutdown();
  silent.close();
});

test("tls.dial() reports a server that hangs up during the handshake", async () => {
  const server = createServer((socket) => void socket.on("error", () => {}).end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { failure } = await attempt((server.address() as AddressInfo).port, { ca: ours.ca });
  assert.equal(failure?.kind, "closed-by-peer");
  assert.match(failure!.detail, /handshake/);
  server.close();
});

test("tls refuses settings that cannot work", async () => {
  const settings = listenSettings([]);
  await assert.rejects(tls.listen(endpointOf(0), new Recorder("listener"), settings), UsageError);
  const mixed = { cert: ours.cert, key: others.key };
  await assert.rejects(listen({ certificate: mixed }), FileError);
  await assert.rejects(dial(1, { ca: "no PEM" }), FileError);
  await assert.rejects(dial(1, { certificate: mixed }), FileError);
});

testWith(["openssl"])("tls echoes to openssl s_client", async () => {
  const { listener, port } = await listen();
  const caFile = `${import.meta.dirname}/.ca-${process.pid}.pem`;
  await Bun.write(caFile, ours.ca);
  const run = Bun.spawn(
    [
      "openssl",
      "s_client",
      "-quiet",
      "-verify_return_error",
      "-verify_ip",
      "127.0.0.1",
      "-CAfile",
      caFile,
      "-connect",
      `127.0.0.1:${port}`,
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "pipe" },
  );
  run.stdin.write("hello, echo\n");
  await run.stdin.flush();
  let text = "";
  for await (const piece of run.stdout) {
    text += new TextDecoder().decode(piece);
    if (text.includes("\n")) break;
  }
  run.kill();
  await run.exited;
  await Bun.file(caFile).delete();
  assert.equal(text, "hello, echo\n");
  await listener.shutdown();
});
