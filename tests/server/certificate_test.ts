import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { FileError, UsageError } from "../../lib/errors.ts";
import type { Failure } from "../../lib/stats/failure.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import { transports } from "../../lib/transport/registry.ts";
import { LocalServer } from "./running_server.ts";
import { echoed } from "./socket_client.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-certificate-"));
afterAll(() => rmSync(directory, { recursive: true }));

test(
  "run() makes a certificate that clients can verify, and takes one that is brought",
  async () => {
    const made = join(directory, "made");
    {
      await using server = await LocalServer.start(["tls://:0"], { writeCertDirectory: made });
      assert.equal(statSync(join(made, "key.pem")).mode & 0o777, 0o600);
      const ca = readFileSync(join(made, "ca.pem"), "utf8");
      for (const host of ["localhost", "127.0.0.1", "::1"]) {
        await verifiedEcho(server.portOf("tls"), host, ca);
      }
    }
    {
      const files = { certFile: join(made, "cert.pem"), keyFile: join(made, "key.pem") };
      await using server = await LocalServer.start(["tls://127.0.0.1:0"], files);
      await verifiedEcho(
        server.portOf("tls"),
        "127.0.0.1",
        readFileSync(join(made, "ca.pem"), "utf8"),
      );
    }
    // The next server may replace what the last one made, but nothing else.
    await using server = await LocalServer.start(["tls://127.0.0.1:0"], {
      writeCertDirectory: made,
    });
    await verifiedEcho(
      server.portOf("tls"),
      "127.0.0.1",
      readFileSync(join(made, "ca.pem"), "utf8"),
    );
    const own = mkdtempSync(join(directory, "own-"));
    writeFileSync(join(own, "key.pem"), "precious");
    await assert.rejects(
      LocalServer.start(["tls://127.0.0.1:0"], { writeCertDirectory: own }),
      FileError,
    );
    assert.equal(readFileSync(join(own, "key.pem"), "utf8"), "precious");
  },
  60_000,
);

test("run() says what is wrong with a certificate", async () => {
  const certFile = join(directory, "garbage.pem");
  writeFileSync(certFile, "garbage");
  for (
    const files of [
      { certFile, keyFile: certFile },
      { certFile: join(directory, "missing.pem"), keyFile: certFile },
    ]
  ) {
    await assert.rejects(LocalServer.start(["tls://127.0.0.1:0"], files), (error) => {
      return error instanceof FileError && !error.message.includes("\n");
    });
  }
});

async function verifiedEcho(port: number, host: string, ca: string): Promise<void> {
  const socket = connectTls({ port, host, ca, servername: host === "localhost" ? host : "" });
  socket.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  assert.ok(socket.authorized, `${host}: ${socket.authorizationError}`);
  const leaf = new X509Certificate(socket.getPeerCertificate().raw);
  assert.ok(host === "localhost" ? leaf.checkHost(host) : leaf.checkIP(host));
  assert.equal((await echoed(socket, Buffer.from("secure"))).toString(), "secure");
  socket.destroy();
}

/** Why a client with these protocols is not let in; undefined where it is. */
async function failureOf(
  endpoint: Endpoint,
  alpn: readonly string[],
): Promise<Failure | undefined> {
  const { promise, resolve } = Promise.withResolvers<Failure | undefined>();
  const handlers = {
    open: () => resolve(undefined),
    close: (_: number, failure: Failure | undefined) => resolve(failure),
    data() {},
    drain() {},
    end() {},
  };
  const dialer = await transports[endpoint.scheme].dial(endpoint, handlers, {
    capacity: 1,
    connectTimeoutMs: 10_000,
    tls: { insecure: true, alpn },
    connectionsPerSocket: 1,
    datagrams: false,
    maxMessageBytes: 2 ** 20,
  });
  dialer.connect(0);
  const failure = await promise;
  await dialer.shutdown();
  return failure;
}

test("run() accepts the protocols of --alpn on tls and quic, and no others", async () => {
  const both = ["tls://127.0.0.1:0", "quic://127.0.0.1:0"];
  {
    await using server = await LocalServer.start(both, { alpn: ["doq", "dot"] });
    for (const endpoint of server.endpoints) {
      assert.equal(await failureOf(endpoint, ["dot"]), undefined, endpoint.scheme);
      const failure = await failureOf(endpoint, ["echo"]);
      assert.match(failure!.detail, /NO_APPLICATION_PROTOCOL|alert 120/, endpoint.scheme);
    }
  }
  await using server = await LocalServer.start(both);
  for (const endpoint of server.endpoints) {
    assert.equal(await failureOf(endpoint, ["echo"]), undefined, endpoint.scheme);
  }
  await assert.rejects(LocalServer.start(["wss://127.0.0.1:0"], { alpn: ["echo"] }), UsageError);
  await assert.rejects(LocalServer.start(["quic://127.0.0.1:0"], { alpn: ["h3"] }), UsageError);
}, 60_000);
