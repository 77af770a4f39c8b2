import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { echo } from "./conformance_traffic.ts";
import { loopback, Pair, type Subject } from "./pair.ts";
import { dialSettings, pattern, Recorder, until } from "./recorder.ts";

/** What somebody who speaks another protocol, or none, might send. */
const garbage: readonly Uint8Array[] = [
  new Uint8Array(0),
  new Uint8Array(1),
  pattern(7, 3),
  pattern(1000, 4),
  pattern(60_000, 5),
  new Uint8Array(1000).fill(0xff),
  Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
  Buffer.from("GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"),
  Buffer.from("SSH-2.0-garbage\r\n"),
  Buffer.from("160301020001000200", "hex"), // a TLS record, cut off
  Buffer.from("c300000001088394c8f03e5157080000449e", "hex"), // a QUIC Initial, cut off
];

async function survivesGarbageFromClients(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject);
  const { port } = pair.listener.endpoint;
  await pair.opened(0);
  await echo(pair, 0, pattern(100));
  for (const bytes of garbage) {
    if (subject.carrier === "udp") {
      const socket = createSocket("udp4");
      await new Promise((resolve) => socket.send(bytes, port, "127.0.0.1", resolve));
      socket.close();
    } else {
      // Three ways to leave: in order, at once, and only when the other side does.
      for (const leave of ["end", "reset", "wait"]) {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.resume();
        await once(socket, "connect");
        if (bytes.length > 0) socket.write(bytes);
        await Bun.sleep(5);
        if (leave === "end") socket.end();
        else if (leave === "reset") socket.resetAndDestroy();
        await Bun.sleep(5);
        socket.destroy();
      }
    }
  }
  await echo(pair, 0, pattern(100, 2));
  await pair.opened(1);
  await echo(pair, 1, pattern(1000, 3));
  // The garbage is gone too: only the two connections are left.
  if (pair.dialer.traits.reliable) {
    await until(
      () => pair.server.openIds.length === 2,
      () => `${pair.server.openIds.length} connections are open on the listener`,
    );
  }
}

/** A server that answers everything with the same bytes and then ends. */
async function garbageServer(subject: Subject, bytes: Uint8Array) {
  if (subject.carrier === "udp") {
    const socket = createSocket("udp4");
    socket.on("message", (_bytes, from) => socket.send(bytes, from.port, from.address, () => {}));
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return { port: socket.address().port, stop: () => void socket.close() };
  }
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.resume();
    socket.write(bytes);
    setTimeout(() => socket.end(), 20);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function survivesGarbageFromServers(subject: Subject): Promise<void> {
  // All at once: a secure transport may wait for as long as a connect may take.
  await Promise.all(garbage.map((bytes) => survivesGarbageFromServer(subject, bytes)));
}

async function survivesGarbageFromServer(subject: Subject, bytes: Uint8Array): Promise<void> {
  const server = await garbageServer(subject, bytes);
  const client = new Recorder("dialer");
  const settings = dialSettings(1, await subject.dial?.());
  const dialer = await subject.transport.dial(loopback(subject, server.port), client, settings);
  const record = client.of(0);
  dialer.connect(0);
  await until(() => record.opens + record.closes > 0, "open or close", 60_000);
  if (subject.transport.scheme === "tcp" || subject.transport.scheme === "udp") {
    // Here every byte sequence is a legal one: it arrives as it is.
    assert.equal(record.opens, 1);
    dialer.send(0, bytes, 0, bytes.length, bytes.length);
    await until(() => record.bytes >= bytes.length, "the garbage");
    assert.ok(Buffer.from(bytes).equals(client.received(0)));
  } else {
    assert.equal(record.opens, 0, "a handshake with garbage opens nothing");
    assert.equal(record.closes, 1);
    assert.ok(record.failure !== undefined && record.failure.detail.length > 0);
  }
  await dialer.shutdown();
  server.stop();
  assert.equal(record.closes, 1);
  assert.deepEqual(client.violations, []);
}

/** The peer's process is killed: its kernel ends what there is to end, and nobody says goodbye. */
async function noticesKilledPeer(subject: Subject): Promise<void> {
  const { refused: _, ...settings } = { refused: undefined, ...(await subject.listen?.()) };
  const script = fileURLToPath(import.meta.resolve("./echo_peer.ts"));
  const { file, transport } = subject;
  const peer = Bun.spawn(
    [process.execPath, script, file, transport.scheme, JSON.stringify(settings)],
    { stdout: "pipe", stderr: "inherit" },
  );
  try {
    let text = "";
    for await (const piece of peer.stdout) {
      text += new TextDecoder().decode(piece);
      if (text.includes("\n")) break;
    }
    const client = new Recorder("dialer");
    const own = dialSettings(2, await subject.dial?.());
    const dialer = await transport.dial(loopback(subject, Number(text)), client, own);
    const message = pattern(100);
    for (const id of [0, 1]) dialer.connect(id);
    await until(() => client.openIds.length === 2, "open");
    dialer.send(0, message, 0, message.length, message.length);
    await until(() => client.of(0).bytes === message.length, "echo");
    peer.kill("SIGKILL");
    await peer.exited;
    // One goes on sending, the other only listens: where FIN comes for it, that is an `end`.
    await until(
      () => {
        dialer.send(0, message, 0, message.length, message.length);
        if (!dialer.traits.reliable) dialer.send(1, message, 0, message.length, message.length);
        return client.of(0).closes === 1 && client.of(1).closes + client.of(1).ends > 0;
      },
      "close of both",
      subject.noticeWithinMs,
    );
    assert.ok(client.of(0).failure !== undefined, "a loss that nobody asked for has a reason");
    await dialer.shutdown();
    assert.deepEqual([client.of(0).closes, client.of(1).closes], [1, 1]);
    assert.deepEqual(client.violations, []);
  } finally {
    peer.kill("SIGKILL");
    await peer.exited;
  }
}

export const hostileChecks = {
  "survives garbage from clients": survivesGarbageFromClients,
  "survives garbage from servers": survivesGarbageFromServers,
  "notices a peer that was killed": noticesKilledPeer,
};
