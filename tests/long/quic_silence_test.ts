import { test } from "bun:test";
import assert from "node:assert/strict";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { quic } from "../../lib/transport/quic.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  until,
} from "../transport/recorder.ts";

test("QuicListener keeps connections without stream data beyond the minute of lsquic", async () => {
  const certificate = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const endpoint = { scheme: "quic", host: "127.0.0.1", port: 0, lastPort: 0, path: "/" } as const;
  const server = new EchoRecorder();
  const listener = await quic.listen(endpoint, server, listenSettings([], { certificate }));
  server.connections = listener;
  const connect = async (datagrams: boolean) => {
    const client = new Recorder("dialer");
    const tls = { ca: certificate.ca, insecure: false, alpn: [] };
    const settings = dialSettings(1, { tls, datagrams });
    const dialer = await quic.dial(listener.endpoint, client, settings);
    dialer.connect(0);
    await until(() => client.of(0).isOpen, "open");
    return { dialer, client };
  };
  const silent = await connect(false);
  const datagrams = await connect(true);
  for (let second = 0; second < 66; second++) {
    await Bun.sleep(1000);
    datagrams.dialer.send(0, pattern(10), 0, 10, 10);
    const { isOpen, failure } = datagrams.client.of(0);
    assert.ok(isOpen, `datagrams: ${failure?.kind}: ${failure?.detail} after ${second} s`);
  }
  const { isOpen, failure, bytes } = silent.client.of(0);
  assert.ok(isOpen, `${failure?.kind}: ${failure?.detail}`);
  assert.equal(bytes, 0, "what shows that it is in use is no data");
  silent.dialer.send(0, pattern(1000), 0, 1000, 1000);
  await until(() => silent.client.of(0).bytes === 1000, "echo");
  await silent.dialer.shutdown();
  await datagrams.dialer.shutdown();
  await listener.shutdown();
}, 120_000);
