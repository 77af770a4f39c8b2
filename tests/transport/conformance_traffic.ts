import assert from "node:assert/strict";
import { type End, Pair, type Subject } from "./pair.ts";
import { EchoRecorder, pattern, Recorder, sendAll, until } from "./recorder.ts";

/** Sends one message and waits for its echo; sends it again where the transport may lose it. */
export async function echo(pair: Pair, id: number, bytes: Uint8Array): Promise<void> {
  const { client, dialer } = pair;
  const record = client.of(id);
  const expectedBytes = record.bytes + bytes.length;
  const firstChunk = record.chunks.length;
  for (let tries = 0; record.bytes < expectedBytes; tries++) {
    assert.ok(tries < 10, `no echo of ${bytes.length} bytes on ${id}`);
    await sendAll(dialer, client, id, bytes, bytes.length);
    const waitMs = dialer.traits.reliable ? 30_000 : 1000;
    const deadline = performance.now() + waitMs;
    while (record.bytes < expectedBytes && performance.now() < deadline) {
      assert.ok(record.isOpen, `closed as ${record.failure?.kind}: ${record.failure?.detail}`);
      await Bun.sleep(1);
    }
    if (dialer.traits.reliable) break;
  }
  assert.equal(record.bytes, expectedBytes, `echo of ${bytes.length} bytes on ${id}`);
  const chunks = record.chunks.slice(firstChunk);
  if (dialer.traits.framing === "message") assert.equal(chunks.length, 1, "a message stays whole");
  const received = Buffer.concat(chunks.map((chunk) => chunk.bytes));
  assert.ok(received.equals(bytes), `echo of ${bytes.length} bytes differs from what was sent`);
}

async function echoesEverySize(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject);
  await pair.opened(0);
  const { maxMessageBytes } = pair.dialer.traits;
  const sizes = [1, 2, 31, 125, 126, 1000, 1150, 1472, 1473, 16_384, 65_507, 65_536, 1_048_576];
  for (const sizeBytes of sizes.filter((size) => size <= maxMessageBytes)) {
    await echo(pair, 0, pattern(sizeBytes, sizeBytes));
  }
}

async function sendsSeveralMessages(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject);
  await pair.opened(0);
  const messageBytes = 100;
  const bytes = pattern(messageBytes * 8);
  const record = pair.client.of(0);
  // From the middle of a larger buffer, which is overwritten as soon as send returns.
  const buffer = new Uint8Array(bytes.length + 200);
  buffer.set(bytes, 100);
  assert.equal(pair.dialer.send(0, buffer, 100, bytes.length, messageBytes), bytes.length);
  buffer.fill(0);
  await until(
    () => record.bytes === bytes.length,
    () => `${record.bytes} of ${bytes.length} bytes`,
  );
  assert.ok(Buffer.from(bytes).equals(pair.client.received(0)));
  if (pair.dialer.traits.framing === "message") {
    assert.deepEqual(record.chunks.map((chunk) => chunk.bytes.length), Array(8).fill(messageBytes));
  }
}

async function holdsManyConnections(subject: Subject): Promise<void> {
  const count = subject.connections ?? 1000;
  // On a busy machine so many take long, and that is not what this is about.
  const dial = { connectTimeoutMs: 30_000 };
  await using pair = await Pair.open(subject, { capacity: count, dial });
  for (let id = 0; id < count; id++) {
    pair.connect(id);
    if (id % 50 === 49) await until(() => pair.client.openIds.length > id - 50, "the first ones");
  }
  const { client, server } = pair;
  await until(
    () => client.openIds.length === count,
    () => `${client.openIds.length} of ${count} open`,
    60_000,
  );
  await Promise.all(client.openIds.map((id) => echo(pair, id, pattern(64, id + 1))));
  if (server.total("opens") > 0) {
    assert.equal(server.openIds.length, count);
    assert.ok(Math.max(...server.openIds) < count, "a listener's ids stay below its connections");
  }
  for (let id = 0; id < count; id++) pair.dialer.close(id);
  await until(
    () => client.openIds.length === 0,
    () => `${client.openIds.length} of ${count} not closed`,
    60_000,
  );
  assert.deepEqual([...client.records.values()].filter((record) => record.failure), []);
}

async function closesByHalves(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server });
  await pair.opened(0);
  const question = pattern(100_000, 1);
  const answer = pattern(100_000, 2);
  await sendAll(pair.dialer, pair.client, 0, question, question.length);
  pair.dialer.finish(0);
  assert.equal(pair.dialer.send(0, question, 0, 1, 1), 0, "nothing is sent after finish");
  await until(() => server.of(0).ends === 1, "end on the listener");
  assert.ok(Buffer.from(question).equals(server.received(0)), "all came before the end");
  await sendAll(pair.listener, server, 0, answer, answer.length);
  await until(() => pair.client.of(0).bytes === answer.length, "the answer after the half-close");
  assert.ok(Buffer.from(answer).equals(pair.client.received(0)));
  assert.ok(pair.client.of(0).isOpen);
  pair.listener.finish(0);
  await until(() => pair.client.of(0).closes === 1, "close of the side that finished first");
  await until(() => server.of(0).closes === 1, "close of the side that finished last");
  assert.equal(pair.client.of(0).failure, undefined);
  assert.equal(server.of(0).failure, undefined);
}

/** A side that stops reading holds the other up, and nothing is lost once it reads on. */
async function checkSlowReader(pair: Pair, sender: End, reader: End): Promise<void> {
  const limitBytes = 256 * 1024 * 1024;
  const messageBytes = Math.min(60_000, pair.dialer.traits.maxMessageBytes);
  // Byte n of the stream is period[n % messageBytes], wherever send cuts it.
  const period = pattern(messageBytes);
  const twice = Buffer.concat([period, period]);
  let acceptedBytes = 0;
  reader.connections.pause(reader.id);
  for (let round = 0; round < 5; round++) {
    for (let accepted = messageBytes; accepted === messageBytes && acceptedBytes < limitBytes;) {
      const offset = acceptedBytes % messageBytes;
      accepted = sender.connections.send(sender.id, twice, offset, messageBytes, messageBytes);
      acceptedBytes += accepted;
    }
    await Bun.sleep(30); // what was in flight when the reader stopped may still drain
  }
  assert.ok(acceptedBytes < limitBytes, `${acceptedBytes} bytes accepted for a stopped reader`);
  const { drains } = sender.recorder.of(sender.id);
  reader.connections.resume(reader.id);
  await until(() => sender.recorder.of(sender.id).drains > drains, "drain after resume");
  const record = reader.recorder.of(reader.id);
  await until(
    () => record.bytes >= acceptedBytes,
    () => `${acceptedBytes} bytes accepted, ${record.bytes} received`,
  );
  const received = reader.recorder.received(reader.id);
  assert.equal(received.length, acceptedBytes);
  for (let offset = 0; offset < received.length; offset += messageBytes) {
    const piece = received.subarray(offset, offset + messageBytes);
    assert.ok(piece.equals(period.subarray(0, piece.length)), `bytes differ after ${offset}`);
  }
}

async function holdsUpDialer(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server });
  await pair.opened(0);
  await checkSlowReader(
    pair,
    { connections: pair.dialer, recorder: pair.client, id: 0 },
    { connections: pair.listener, recorder: server, id: 0 },
  );
}

async function holdsUpListener(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server });
  await pair.opened(0);
  await checkSlowReader(
    pair,
    { connections: pair.listener, recorder: server, id: 0 },
    { connections: pair.dialer, recorder: pair.client, id: 0 },
  );
}

/** What `send` accepted arrives although `close` follows at once, even to a reader that is slow. */
async function closesAfterWhatWasAccepted(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server });
  await pair.opened(0);
  const messageBytes = Math.min(50_000, pair.dialer.traits.maxMessageBytes);
  const bytes = pattern(messageBytes * 40);
  const accepted = pair.dialer.send(0, bytes, 0, bytes.length, messageBytes);
  assert.ok(accepted > 0);
  pair.dialer.close(0);
  assert.equal(pair.dialer.send(0, bytes, 0, messageBytes, messageBytes), 0);
  await until(() => server.of(0).bytes === accepted, () => `${server.of(0).bytes} of ${accepted}`);
  assert.ok(Buffer.from(bytes.subarray(0, accepted)).equals(server.received(0)));
  // Either the listener sees a half-close and ends its half too, or the whole is closed already.
  await until(() => server.of(0).ends + server.of(0).closes > 0, "end or close on the listener");
  if (server.of(0).isOpen) pair.listener.close(0);
  await until(() => pair.client.of(0).closes === 1 && server.of(0).closes === 1, "both closes");
  assert.equal(pair.client.of(0).failure, undefined);
}

/** A client that sends and never reads costs the other side no more than the buffers. */
async function echoesUnderLoad(subject: Subject): Promise<void> {
  const server = new EchoRecorder();
  await using pair = await Pair.open(subject, { server });
  await pair.opened(0);
  const messageBytes = Math.min(32_768, pair.dialer.traits.maxMessageBytes);
  const bytes = pattern(messageBytes * 256);
  await sendAll(pair.dialer, pair.client, 0, bytes, messageBytes);
  const record = pair.client.of(0);
  await until(() => record.bytes >= bytes.length, () => `${record.bytes} of ${bytes.length} bytes`);
  assert.ok(Buffer.from(bytes).equals(pair.client.received(0)));
}

export const trafficChecks = {
  "echoes every size": echoesEverySize,
  "sends several messages at once": sendsSeveralMessages,
  "holds many connections": holdsManyConnections,
  "closes by halves": closesByHalves,
  "holds up a dialer whose peer does not read": holdsUpDialer,
  "holds up a listener whose peer does not read": holdsUpListener,
  "closes after what was accepted": closesAfterWhatWasAccepted,
  "echoes a large volume unharmed": echoesUnderLoad,
};
