import { test } from "bun:test";
import assert from "node:assert/strict";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import type { DialSettings, Listener } from "../../lib/transport/transport.ts";
import { Pair } from "./pair.ts";
import {
  certificate,
  dial,
  echo,
  expectNoRejections,
  holdPort,
  serve,
  settle,
  settleAgain,
  subject,
  trusting,
} from "./quic_loopback.ts";
import { pattern, until } from "./recorder.ts";

expectNoRejections();

/** A server in a process of its own, which has echoed on three connections. */
async function serveAndEcho(own: Partial<DialSettings> = {}) {
  const script = new URL("./echo_peer.ts", import.meta.url).pathname;
  const peer = Bun.spawn(
    [process.execPath, script, "quic.ts", "quic", JSON.stringify({ certificate })],
    { stdout: "pipe", stderr: "inherit" },
  );
  const { value } = await peer.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  const { dialer, client } = await dial(port, port, 3, own);
  for (const id of [0, 1, 2]) await settle(dialer, client, id);
  await echo(dialer, client, 0, pattern(100));
  return {
    peer,
    dialer,
    client,
    async [Symbol.asyncDispose]() {
      peer.kill("SIGKILL");
      await peer.exited;
      await dialer.shutdown();
    },
  };
}

test("QuicDialer reports a server that speaks another protocol", async () => {
  const { listener, refusals } = await serve(0, 0, { alpn: ["other", "another"] });
  const { port } = listener.endpoint;
  const { dialer, client } = await dial(port, port, 2);
  const record = await settle(dialer, client);
  assert.equal(record.opens, 0);
  assert.equal(record.failure?.kind, "protocol");
  assert.match(record.failure!.detail, /TLS alert 120/);
  await until(() => refusals.length > 0, "refused on the listener");
  assert.equal(refusals[0]!.kind, "protocol");
  await dialer.shutdown();

  const right = await dial(port, port, 1, { tls: { ...trusting, alpn: ["another"] } });
  assert.equal((await settle(right.dialer, right.client)).opens, 1);
  await right.dialer.shutdown();
  await listener.shutdown();
});

test("QuicDialer verifies the authority, the name and the address of the server", async () => {
  const other = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const elsewhere = await makeCertificate({ names: ["elsewhere"], addresses: ["192.0.2.1"] });
  const { listener } = await serve(0, 0);
  const away = await serve(0, 0, { certificate: elsewhere });
  const attempt = async (to: Listener, host: string, tls: DialSettings["tls"]) => {
    const { port } = to.endpoint;
    const { dialer, client } = await dial(port, port, 1, { tls }, host);
    const { opens, failure } = await settle(dialer, client);
    await dialer.shutdown();
    return opens === 1 ? "open" : `${failure?.kind}: ${failure?.detail}`;
  };
  const wrong = { ...trusting, ca: other.ca };
  const far = { ...trusting, ca: elsewhere.ca };
  assert.equal(await attempt(listener, "localhost", trusting), "open");
  assert.equal(await attempt(listener, "127.0.0.1", trusting), "open");
  assert.match(await attempt(listener, "localhost", wrong), /^tls: certificate: /);
  assert.match(await attempt(listener, "127.0.0.1", wrong), /^tls: certificate: /);
  assert.match(await attempt(away.listener, "localhost", far), /^tls: certificate: Hostname/);
  assert.match(await attempt(away.listener, "127.0.0.1", far), /not valid for .*127\.0\.0\.1/);
  assert.equal(
    await attempt(away.listener, "127.0.0.1", { ...far, servername: "elsewhere" }),
    "open",
  );
  assert.equal(await attempt(away.listener, "localhost", { insecure: true, alpn: [] }), "open");
  assert.equal(away.server.openIds.length + away.server.total("bytes"), 0);
  await listener.shutdown();
  await away.listener.shutdown();
});

test("QuicDialer tells apart how its peer ended", async () => {
  await using pair = await Pair.open(subject);
  const { client, server, listener, dialer } = pair;
  await pair.opened(0);
  // The listener knows the stream when the first bytes have come on it.
  const early = pattern(10);
  assert.equal(listener.send(0, early, 0, 10, 10), 0);
  listener.finish(0);
  dialer.send(0, early, 0, 10, 10);
  await until(() => client.of(0).ends === 1, "the end of the stream");
  assert.ok(client.of(0).isOpen, "a half-close closes nothing");
  dialer.finish(0);
  await until(() => client.of(0).closes === 1, "close after both ends");
  assert.equal(client.of(0).failure, undefined);

  await pair.opened(1);
  listener.terminate(server.openIds[0]!);
  await until(() => client.of(1).closes === 1, "close after the reset");
  assert.equal(client.of(1).failure?.kind, "reset");

  await pair.opened(2);
  dialer.send(2, pattern(10), 0, 10, 10);
  await until(() => client.of(2).bytes === 10, "echo");
  await listener.shutdown();
  await until(() => client.of(2).closes + client.of(2).ends > 0, "close or end");
  if (client.of(2).closes > 0) assert.equal(client.of(2).failure?.kind, "closed-by-peer");
});

test("QuicDialer reports a killed server as refused, and nothing escapes", async () => {
  await using served = await serveAndEcho();
  const { peer, dialer, client } = served;
  peer.kill("SIGKILL");
  await peer.exited;
  const message = pattern(100);
  const killedMs = performance.now();
  await until(() => {
    dialer.send(0, message, 0, 100, 100);
    return client.of(0).closes > 0;
  }, "close of the one that sends");
  const sendingMs = performance.now() - killedMs;
  await until(() => client.total("closes") === 3, "close of all three");
  for (const id of [0, 1, 2]) assert.equal(client.of(id).failure?.kind, "refused");
  // The idle timeout is 30 s, and the next PING of those that do not send at most 5 s away.
  assert.ok(sendingMs < 15_000, `after ${sendingMs} ms`);
  assert.equal((await settleAgain(dialer, client, 1)).failure?.kind, "refused");
}, 60_000);

test(
  "QuicDialer reports a frozen server as idle, and one that only pauses not at all",
  async () => {
    await using served = await serveAndEcho({ idleTimeoutMs: 3000 });
    const { peer, dialer, client } = served;
    peer.kill("SIGSTOP");
    await Bun.sleep(1200); // long enough to be asked whether its port is open
    peer.kill("SIGCONT");
    await echo(dialer, client, 1, pattern(100));
    await Bun.sleep(500);
    assert.equal(client.total("closes"), 0);
    peer.kill("SIGSTOP");
    await until(() => client.total("closes") === 3, "close of all three");
    for (const id of [0, 1, 2]) assert.equal(client.of(id).failure?.kind, "idle");
  },
  60_000,
);

test("QuicDialer reports a closed port at once and a silent one after connectTimeoutMs", async () => {
  const held = await holdPort();
  const { port } = held.address();
  const silent = await dial(port, port, 1, { connectTimeoutMs: 500 });
  const startMs = performance.now();
  const record = await settle(silent.dialer, silent.client);
  assert.equal(record.failure?.kind, "timeout");
  assert.ok(performance.now() - startMs >= 490, "not before the timeout");
  await silent.dialer.shutdown();
  held.close();

  const closed = await dial(port, port, 2, { connectTimeoutMs: 60_000 });
  assert.equal((await settle(closed.dialer, closed.client, 0)).failure?.kind, "refused");
  assert.equal((await settle(closed.dialer, closed.client, 1)).failure?.kind, "refused");
  assert.equal((await settleAgain(closed.dialer, closed.client, 0)).failure?.kind, "refused");
  await closed.dialer.shutdown();
});

test("QuicListener goes on serving when another client is killed", async () => {
  const { listener } = await serve(0, 0);
  const { port } = listener.endpoint;
  const { dialer, client } = await dial(port, port, 1);
  await settle(dialer, client);
  const script = new URL("./quic_client_peer.ts", import.meta.url).pathname;
  for (let round = 0; round < 3; round++) {
    const peer = Bun.spawn(
      [process.execPath, "--no-warnings", script, String(port), certificate.ca],
      { stdout: "pipe", stderr: "inherit" },
    );
    await peer.stdout.getReader().read();
    peer.kill("SIGKILL");
    await peer.exited;
    // Its port is closed now, and says so (ICMP) to whoever still sends there.
    const startMs = performance.now();
    let turns = 0;
    for (; performance.now() - startMs < 2000; turns++) {
      await echo(dialer, client, 0, pattern(100, turns + 1));
      await Bun.sleep(5);
    }
    // Every ICMP message would have cost a second of silence.
    assert.ok(turns > 20, `${turns} echoes in two seconds`);
  }
  await dialer.shutdown();
  await listener.shutdown();
}, 60_000);
