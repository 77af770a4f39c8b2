import assert from "node:assert/strict";
import { HostLimitError, TargetUnreachableError } from "../../lib/errors.ts";
import type { Dialer } from "../../lib/transport/transport.ts";
import { echo } from "./conformance_traffic.ts";
import { loopback, Pair, type Subject } from "./pair.ts";
import { dialSettings, listenSettings, pattern, Recorder, until } from "./recorder.ts";

const message = pattern(100);

async function reportsReset(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server });
  await pair.opened(0);
  pair.listener.terminate(0);
  assert.equal(server.of(0).closes, 1, "terminate closes at once");
  assert.equal(server.of(0).failure, undefined, "this side asked for it");
  await until(() => pair.client.of(0).closes === 1, "close on the dialer", subject.noticeWithinMs);
  const kind = pair.client.of(0).failure?.kind;
  assert.ok(kind !== undefined && subject.resetKinds.includes(kind), `the dialer says ${kind}`);

  await pair.opened(1);
  const id = server.openIds[0]!;
  const { closes } = server.of(id);
  pair.dialer.terminate(1);
  assert.equal(pair.client.of(1).closes, 1, "terminate closes at once");
  assert.equal(pair.client.of(1).failure, undefined);
  await until(() => server.of(id).closes > closes, "close on the listener", subject.noticeWithinMs);
  const listenerKind = server.of(id).failure?.kind;
  assert.ok(
    listenerKind !== undefined && subject.resetKinds.includes(listenerKind),
    `the listener says ${listenerKind}`,
  );
}

async function dialTo(subject: Subject, port: number, client: Recorder): Promise<Dialer> {
  const settings = dialSettings(4, await subject.dial?.());
  return await subject.transport.dial(loopback(subject, port), client, settings);
}

/** A port that was bound a moment ago and is free again. */
async function freedPort(subject: Subject): Promise<number> {
  const listener = await subject.transport.listen(
    loopback(subject),
    new Recorder("listener"),
    listenSettings([], await subject.listen?.()),
  );
  await listener.shutdown();
  return listener.endpoint.port;
}

async function reportsRefusal(subject: Subject): Promise<void> {
  const client = new Recorder("dialer");
  const dialer = await dialTo(subject, await freedPort(subject), client);
  const record = client.of(0);
  dialer.connect(0);
  if (!dialer.traits.reliable) {
    // Only a datagram that is turned away tells that nobody is there.
    await until(() => record.opens + record.closes > 0, "open or close");
    if (record.isOpen) dialer.send(0, message, 0, message.length, message.length);
    await until(() => record.closes === 1, "close", subject.noticeWithinMs);
  } else {
    await until(() => record.closes === 1, "close", subject.noticeWithinMs);
    assert.equal(record.opens, 0);
  }
  const kind = record.failure?.kind;
  assert.ok(kind !== undefined && subject.refusedKinds.includes(kind), `the dialer says ${kind}`);
  assert.ok(record.failure!.detail.length > 0);
  await dialer.shutdown();
  assert.equal(record.closes, 1);
  assert.deepEqual(client.violations, []);
}

async function usesIdsAgain(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject, { capacity: 1 });
  for (let round = 0; round < 20; round++) {
    await pair.opened(0);
    await echo(pair, 0, pattern(50, round + 1));
    if (round % 2 === 0) pair.dialer.close(0);
    else pair.dialer.terminate(0);
    await until(() => !pair.client.of(0).isOpen, "close");
    assert.equal(pair.client.of(0).failure, undefined);
  }
}

async function endsConnectInProgress(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject, { capacity: 4 });
  const record = pair.client.of(0);
  for (let round = 1; round <= 10; round++) {
    pair.connect(0);
    assert.equal(record.opens, 0);
    if (round % 2 === 0) pair.dialer.close(0);
    else pair.dialer.terminate(0);
    await until(() => record.closes === round, "close");
    assert.equal(record.failure, undefined);
  }
  await Bun.sleep(100); // a socket that opens late must not be heard of
  assert.equal(record.opens, 0);
  assert.equal(record.closes, 10);
  // The id works as ever, also at once after it was given up.
  pair.connect(0);
  pair.dialer.terminate(0);
  await pair.opened(0);
  await echo(pair, 0, message);
}

async function ignoresClosedIds(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject);
  const use = (id: number) => {
    assert.equal(pair.dialer.send(id, message, 0, message.length, message.length), 0);
    pair.dialer.pause(id);
    pair.dialer.resume(id);
    pair.dialer.finish(id);
    pair.dialer.close(id);
    pair.dialer.terminate(id);
  };
  use(0); // never connected
  await pair.opened(1);
  pair.dialer.terminate(1);
  use(1);
  await pair.opened(2);
  pair.dialer.close(2);
  pair.dialer.close(2);
  pair.dialer.terminate(2);
  pair.dialer.terminate(2);
  use(2);
  await Bun.sleep(50);
  assert.deepEqual([0, 1, 2].map((id) => pair.client.of(id).closes), [0, 1, 1]);
  assert.deepEqual([0, 1, 2].map((id) => pair.client.of(id).drains), [0, 0, 0]);
}

async function limitsConnections(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject, { listen: { maxConnections: 2 } });
  await pair.opened(0);
  await pair.opened(1);
  pair.connect(2);
  await until(() => pair.client.of(2).closes === 1, "close of the third", subject.noticeWithinMs);
  assert.ok(pair.client.of(2).failure !== undefined);
  await until(() => pair.refusals.length > 0, "refused on the listener");
  assert.match(pair.refusals[0]!.detail, /max-connections/);
  assert.equal(pair.server.total("opens"), 2);
  await echo(pair, 0, message);
  pair.dialer.close(0);
  await until(() => pair.server.openIds.length === 1, "room on the listener");
  await pair.opened(3);
  await echo(pair, 3, message);
}

async function closesIdle(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject, { listen: { idleTimeoutMs: 1000 } });
  await pair.opened(0);
  await pair.opened(1);
  const startMs = performance.now();
  // One stays silent; the other does not, and stays.
  while (pair.server.total("closes") === 0) {
    assert.ok(performance.now() - startMs < 20_000, "the idle connection was not closed");
    await echo(pair, 1, message);
    await Bun.sleep(50);
  }
  assert.ok(performance.now() - startMs > 900, "not before the timeout");
  assert.ok(pair.client.of(0).closes + pair.client.of(0).ends > 0, "the dialer hears of it");
  const closed = [...pair.server.records.values()].find((record) => record.closes === 1);
  assert.equal(closed?.failure?.kind, "idle");
  await echo(pair, 1, message);
}

async function stopsAccepting(subject: Subject): Promise<void> {
  await using pair = await Pair.open(subject);
  await pair.opened(0);
  pair.listener.stopAccepting();
  pair.connect(1);
  await until(() => pair.client.of(1).closes === 1, "close of the new one", 60_000);
  assert.equal(pair.client.of(1).opens, 0);
  await echo(pair, 0, message);
}

async function freesPort(subject: Subject): Promise<void> {
  const settings = listenSettings([], await subject.listen?.());
  const port = await freedPort(subject);
  assert.ok(port > 0);
  const handlers = new Recorder("listener");
  const again = await subject.transport.listen(loopback(subject, port), handlers, settings);
  assert.equal(again.endpoint.port, port);
  assert.equal(again.endpoint.lastPort, port);
  await assert.rejects(
    subject.transport.listen(loopback(subject, port), handlers, settings),
    (error) => error instanceof HostLimitError && error.message.includes(String(port)),
  );
  await again.shutdown();
  await again.shutdown();
}

async function shutdownEndsConnections(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server });
  for (const id of [0, 1, 2]) await pair.opened(id);
  // The dialer neither reads nor ends its half: the listener must not wait for ever.
  pair.dialer.pause(1);
  const startMs = performance.now();
  await pair.listener.shutdown();
  assert.ok(performance.now() - startMs < 20_000);
  assert.equal(server.total("closes"), 3);
}

async function reportsUnknownHost(subject: Subject): Promise<void> {
  const endpoint = { ...loopback(subject, 4242), host: "holdfast-test.invalid" };
  const settings = dialSettings(1, await subject.dial?.());
  await assert.rejects(
    subject.transport.dial(endpoint, new Recorder("dialer"), settings),
    (error) =>
      error instanceof TargetUnreachableError && error.message.includes("holdfast-test.invalid"),
  );
}

async function listensEverywhere(subject: Subject): Promise<void> {
  const listener = await subject.transport.listen(
    { ...loopback(subject), host: "" },
    new Recorder("listener"),
    listenSettings([], await subject.listen?.()),
  );
  for (const host of ["127.0.0.1", "localhost", ""]) {
    const client = new Recorder("dialer");
    const settings = dialSettings(1, await subject.dial?.());
    const dialer = await subject.transport.dial({ ...listener.endpoint, host }, client, settings);
    dialer.connect(0);
    await until(() => client.of(0).opens + client.of(0).closes > 0, `open to ${host}`);
    assert.equal(client.of(0).opens, 1, client.of(0).failure?.detail);
    await dialer.shutdown();
  }
  await listener.shutdown();
}

/** Both sides do what comes to mind; `Pair` then checks that every connection closed once. */
async function survivesRandomUse(subject: Subject): Promise<void> {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server, capacity: 20 });
  const { client, dialer, listener } = pair;
  const bytes = pattern(20_000);
  const messageBytes = Math.min(1000, dialer.traits.maxMessageBytes);
  const random = pattern(4000, 7);
  let next = 0;
  const below = (limit: number) => random[next++ % random.length]! % limit;
  const inUse = new Set<number>();
  const starts = new Map<number, number>();
  const started = (id: number) => starts.get(id) ?? 0;
  for (let step = 0; step < 1000; step++) {
    for (const id of inUse) {
      // A connect that was given up closes without having been open.
      if (client.of(id).closes === started(id)) inUse.delete(id);
    }
    const id = below(20);
    const isServers = below(3) === 0 && server.openIds.length > 0;
    const [side, target] = isServers
      ? [listener, server.openIds[below(server.openIds.length)]!] as const
      : [dialer, id] as const;
    if (!isServers && !inUse.has(id)) {
      inUse.add(id);
      starts.set(id, started(id) + 1);
      pair.connect(id);
      continue;
    }
    const operation = below(12);
    if (operation < 6) {
      side.send(target, bytes, 0, messageBytes * (1 + below(10)), messageBytes);
    } else if (operation === 6) side.pause(target);
    else if (operation === 7) side.resume(target);
    else if (operation === 8) side.finish(target);
    else if (operation === 9) side.close(target);
    else if (operation === 10) side.terminate(target);
    else await Bun.sleep(below(10));
  }
}

export const lifecycleChecks = {
  "reports a reset": reportsReset,
  "reports a refusal": reportsRefusal,
  "uses ids again": usesIdsAgain,
  "ends a connect in progress": endsConnectInProgress,
  "ignores closed ids": ignoresClosedIds,
  "limits connections": limitsConnections,
  "closes idle connections": closesIdle,
  "stops accepting": stopsAccepting,
  "frees its port": freesPort,
  "ends all connections at shutdown": shutdownEndsConnections,
  "reports an unknown host": reportsUnknownHost,
  "listens on every address": listensEverywhere,
  "survives random use by both sides": survivesRandomUse,
};
