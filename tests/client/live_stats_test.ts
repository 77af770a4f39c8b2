import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { HostLimitError } from "../../lib/errors.ts";
import { type ClientSnapshotJson, parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import { allAnswered } from "../cli/client_process.ts";
import { assertBalanced } from "../load/books.ts";
import { ChildServer } from "../server/running_server.ts";
import { LocalClient } from "./local_client.ts";

const server = await ChildServer.start(["tcp://127.0.0.1:0"]);
afterAll(() => server.stop());
const tcp = `tcp://127.0.0.1:${server.portOf("tcp")}`;

const anyPort = { host: "127.0.0.1", port: 0 };
const load = { connections: 10, ratePerSecond: 2000, quiet: false };

/** The books of a snapshot as it was served, while the run goes on. */
function assertServed(json: ClientSnapshotJson): void {
  assert.equal(json.role, "client");
  assertBalanced(json.messages);
  assertBalanced(json.steady);
  assert.ok(json.steady.sent <= json.messages.sent && json.steady.due <= json.messages.due);
  const { connections, histograms, steady } = json;
  assert.ok(connections.open <= connections.opened && connections.opened <= connections.attempted);
  assert.equal(histograms.response.count, steady.answered);
  assert.equal(histograms.service.count, steady.answered);
  assert.equal(histograms.scheduleError.count, steady.sent);
}

test("run() serves /stats while it runs, and its books balance in every snapshot", async () => {
  const client = new LocalClient(tcp, {
    ...load,
    connectRatePerSecond: 20,
    warmupMs: 300,
    durationMs: 1000,
    statsAddress: anyPort,
  });
  const url = await client.statsUrl();
  const fetched: ClientSnapshotJson[] = [];
  let hasEnded = false;
  const ended = client.ended.finally(() => hasEnded = true);
  while (!hasEnded) {
    // It ends between two fetches, and does not answer the one that comes too late.
    const response = await fetch(`${url}stats`).catch(() => undefined);
    if (response === undefined) break;
    assert.equal(response.headers.get("content-type"), "application/json");
    fetched.push(await response.json() as ClientSnapshotJson);
    await Bun.sleep(10);
  }
  const { snapshot, err } = await ended;
  allAnswered({ ...await client.ended, err: "" });
  assert.match(err, /^statistics on http:/);

  assert.ok(fetched.length > 20, `${fetched.length} were fetched`);
  for (const json of fetched) assertServed(json);
  assert.deepEqual(
    [...new Set(fetched.map(({ phase }) => phase))].slice(0, 3),
    ["ramp", "warmup", "steady"],
  );
  for (const [index, json] of fetched.entries()) {
    const before = fetched[index - 1];
    if (before === undefined) continue;
    assert.ok(json.elapsedMs > before.elapsedMs);
    for (const count of ["due", "sent", "answered"] as const) {
      assert.ok(json.messages[count] >= before.messages[count], count);
    }
  }
  const last = fetched.at(-1)!;
  assert.equal(last.verdict, undefined, "there is none before the end");
  assert.deepEqual(last.run, snapshot!.run);
  assert.ok(last.messages.sent <= snapshot!.messages.sent);
  await assert.rejects(fetch(`${url}stats`), "nothing listens there any more");
}, 30_000);

test("run() serves snapshots that can be read back and merged, with ?encoded=1", async () => {
  const client = new LocalClient(tcp, { ...load, durationMs: 700, statsAddress: anyPort });
  const url = await client.statsUrl();
  for (let count = 0; count < 3; count++) {
    await Bun.sleep(100);
    const snapshot = parseSnapshot(await (await fetch(`${url}stats?encoded=1`)).text());
    assert.ok(snapshot.role === "client");
    assertBalanced(snapshot.messages);
    assert.equal(snapshot.histograms.response.count, snapshot.steady.answered);
  }
  await client.ended;
}, 30_000);

test("run() serves /metrics, /healthz and the page", async () => {
  const client = new LocalClient(tcp, {
    ...load,
    durationMs: 800,
    statsAddress: anyPort,
    labels: [{ key: "site", value: "lab" }],
  });
  const url = await client.statsUrl();
  await Bun.sleep(300);
  const metrics = await (await fetch(`${url}metrics`)).text();
  assert.match(metrics, /^holdfast_client_info\{.*site="lab".*\} 1$/m);
  const figure = (name: string) =>
    Number(new RegExp(`^holdfast_client_${name} (\\d+)$`, "m").exec(metrics)?.[1]);
  assert.equal(figure("connections_open"), 10);
  assert.ok(figure("messages_sent_total") > 0, metrics);
  assert.ok(figure("messages_answered_total") <= figure("messages_sent_total"), metrics);

  assert.equal(await (await fetch(`${url}healthz`)).text(), "ok\n");
  assert.match(await (await fetch(url)).text(), /<html/);
  assert.equal((await fetch(`${url}nothing`)).status, 404);
  // A page of another site that points its own name here reads nothing.
  const rebound = await fetch(`${url}stats`, { headers: { Host: "elsewhere.example" } });
  assert.equal(rebound.status, 403);
  await client.ended;
}, 30_000);

test("run() sends an event a second to whom listens, until it ends", async () => {
  const client = new LocalClient(tcp, { ...load, durationMs: 2500, statsAddress: anyPort });
  const url = await client.statsUrl();
  const response = await fetch(`${url}events`);
  assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
  // Ends by itself when the run does; a connection that is cut is no error here.
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true });
  } catch {
    assert.notEqual(text, "");
  }
  const events = text.split("\n\n").slice(0, -1).map((event) => {
    assert.match(event, /^data: /);
    return JSON.parse(event.slice("data: ".length)) as ClientSnapshotJson & {
      interval?: { lengthMs: number; response: { count: number } };
    };
  });
  assert.ok(events.length >= 2 && events.length <= 5, `${events.length} events`);
  for (const event of events) assertServed(event);
  const counted = events.filter(({ interval }) => interval !== undefined);
  assert.ok(counted.length > 0);
  for (const { interval } of counted) assert.ok(interval!.response.count > 0);
  await client.ended;
}, 30_000);

test("run() moves its statistics to the next free port, and says where", async () => {
  // Held by this test, or by something else on this machine already.
  const holders = [9464, 9465].flatMap((port) => {
    try {
      return [Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("other") })];
    } catch {
      return [];
    }
  });
  try {
    // Two at once, of which the second cannot have the port of the first either.
    const clients = [1, 2].map(() =>
      new LocalClient(tcp, { ...load, durationMs: 500 }, { servesByDefault: true })
    );
    const urls = await Promise.all(clients.map((client) => client.statsUrl()));
    const ports = urls.map((url) => Number(new URL(url).port));
    assert.ok(ports.every((port) => port > 9465 && port < 9464 + 50), ports.join());
    assert.notEqual(ports[0], ports[1]);
    for (const url of urls) {
      const { role } = await (await fetch(`${url}stats`)).json() as ClientSnapshotJson;
      assert.equal(role, "client");
    }
    for (const client of clients) await client.ended;
  } finally {
    for (const holder of holders) await holder.stop(true);
  }
}, 30_000);

test("run() takes no other port than the one that it was told to", async () => {
  const holder = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("other") });
  const before = (await server.snapshot()).total.accepted;
  try {
    const statsAddress = { host: "127.0.0.1", port: holder.port! };
    await assert.rejects(new LocalClient(tcp, { ...load, statsAddress }).ended, (error) => {
      assert.ok(error instanceof HostLimitError, String(error));
      assert.match(error.message, new RegExp(`port ${holder.port} of 127\\.0\\.0\\.1 is in use`));
      return true;
    });
  } finally {
    await holder.stop(true);
  }
  assert.equal((await server.snapshot()).total.accepted, before, "it has connected nothing");
});
