import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { HostLimitError } from "../../lib/errors.ts";
import { serveStats, type StatsServer } from "../../lib/report/http.ts";
import { snapshotView } from "../../lib/report/stats_view.ts";
import type { Snapshot } from "../../lib/stats/snapshot.ts";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import { clientSnapshot, histogramOfMs, serverSnapshot } from "../stats/sample_snapshots.ts";

const started: StatsServer[] = [];
afterAll(() => Promise.all(started.map((server) => server.stop())));

function serve(
  read: () => Snapshot,
  hostname = "127.0.0.1",
  port = 0,
  isExact = false,
): StatsServer {
  const server = serveStats({ hostname, port, isExact, view: snapshotView(read) });
  started.push(server);
  return server;
}

/** Reads server-sent events until there are as many as asked for. */
async function eventsOf(
  url: string,
  howMany: number,
  // deno-lint-ignore no-explicit-any
): Promise<any[]> {
  const abort = new AbortController();
  const response = await fetch(new URL("events", url), { signal: abort.signal });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split("\n\n").length > howMany) break;
  }
  abort.abort();
  return text.split("\n\n").slice(0, howMany).map((event) => {
    assert.ok(event.startsWith("data: "));
    return JSON.parse(event.slice(6));
  });
}

test("/stats is the snapshot of now, and reads back when encoded", async () => {
  let sent = 1;
  const { url } = serve(() => {
    const snapshot = clientSnapshot();
    return { ...snapshot, messages: { ...snapshot.messages, sent: sent++ } };
  });
  const first = await (await fetch(new URL("stats", url))).json();
  assert.equal(first.messages.sent, 1);
  assert.equal(first.histograms.response.encoded, undefined);
  assert.equal(first.histograms.response.count, 10_000);
  const response = await fetch(new URL("stats?encoded=1", url));
  assert.equal(response.headers.get("cache-control"), "no-store");
  const second = parseSnapshot(await response.text());
  assert.ok(second.role === "client");
  assert.equal(second.messages.sent, 2);
  assert.equal(
    second.histograms.response.encode(),
    clientSnapshot().histograms.response.encode(),
  );
});

test("/metrics, /healthz, / and anything else answer in their own type", async () => {
  const { url } = serve(() => serverSnapshot());
  const metrics = await fetch(new URL("metrics", url));
  assert.match(metrics.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  assert.match(await metrics.text(), /^holdfast_server_open_fds 1024$/m);
  assert.equal(await (await fetch(new URL("healthz", url))).text(), "ok\n");
  const page = await fetch(url);
  assert.match(page.headers.get("content-type")!, /^text\/html/);
  assert.match(page.headers.get("content-security-policy")!, /default-src 'none'/);
  const html = await page.text();
  assert.match(html, /^<!doctype html>/);
  // Nothing comes from elsewhere.
  assert.doesNotMatch(html, /https?:\/\/|src=|@import|<link/);
  assert.equal((await fetch(new URL("nothing", url))).status, 404);
  assert.equal((await fetch(new URL("stats", url), { method: "POST" })).status, 404);
});

test("/events begins at once and goes on with what the interval added", async () => {
  let reads = 0;
  const { url } = serve(() => {
    reads++;
    const values = [1, 1, 1, ...Array(reads).fill(50 * reads)];
    return clientSnapshot({
      elapsedMs: 1_000 * reads,
      histograms: { ...clientSnapshot().histograms, response: histogramOfMs(...values) },
    });
  });
  assert.equal(reads, 0);
  const events = await eventsOf(url, 3);
  assert.deepEqual(events.map((event) => event.elapsedMs), [1_000, 2_000, 3_000]);
  assert.equal(events[0].interval, undefined);
  assert.equal(events[2].interval.lengthMs, 1_000);
  assert.ok(events[2].interval.response.minNs > 100e6);
  assert.equal(events[2].histograms.response.count, 6);
}, 20_000);

test("/events of a server have no interval, and all listeners share one reading", async () => {
  let reads = 0;
  const { url } = serve(() => serverSnapshot({ elapsedMs: ++reads }));
  const [first, second] = await Promise.all([eventsOf(url, 3), eventsOf(url, 3)]);
  assert.equal(first[2].role, "server");
  assert.equal(first[2].interval, undefined);
  // Two readings for two beginnings, then one a second for both.
  assert.ok(first[2].elapsedMs <= 5 && second[2].elapsedMs <= 5);
}, 20_000);

test("nothing is read once the last listener has gone", async () => {
  let reads = 0;
  const { url } = serve(() => serverSnapshot({ elapsedMs: ++reads }));
  await eventsOf(url, 2);
  const deadline = performance.now() + 10_000;
  let before = -1;
  while (before !== reads && performance.now() < deadline) {
    before = reads;
    await Bun.sleep(2_100);
  }
  assert.equal(reads, before);
}, 20_000);

test("serveStats() takes the next free port, unless it must be that one", async () => {
  const taken = serve(() => serverSnapshot());
  const next = serve(() => clientSnapshot(), "127.0.0.1", taken.port);
  assert.ok(next.port > taken.port && next.port < taken.port + 50);
  assert.equal((await (await fetch(new URL("stats", next.url))).json()).role, "client");
  assert.throws(
    () => serve(() => clientSnapshot(), "127.0.0.1", taken.port, true),
    (error) => error instanceof HostLimitError && /port \d+ of 127.* is in use/.test(error.message),
  );
});

test("serveStats() says what cannot be bound", async () => {
  const blocker = createServer().listen(65_535, "127.0.0.1");
  await new Promise((resolve) => blocker.once("listening", resolve).once("error", resolve));
  assert.throws(() => serve(() => serverSnapshot(), "127.0.0.1", 65_535), HostLimitError);
  blocker.close();
  assert.throws(
    () => serve(() => serverSnapshot(), "192.0.2.1", 0),
    (error) => error instanceof HostLimitError && /192\.0\.2\.1.*--stats/.test(error.message),
  );
});

test("a server on loopback does not answer to foreign names", async () => {
  const { url, port } = serve(() => serverSnapshot());
  const as = (host: string) => fetch(url, { headers: { Host: host } });
  for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example"]) {
    const response = await as(host);
    assert.equal(response.status, 403, host);
    assert.ok(!(await response.text()).includes("<"));
  }
  for (const host of ["localhost", `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
    assert.equal((await as(host)).status, 200, host);
  }
  const open = serve(() => serverSnapshot(), "0.0.0.0");
  const local = `http://127.0.0.1:${open.port}/healthz`;
  assert.equal((await fetch(local, { headers: { Host: "box.example" } })).status, 200);
});

test("a reading that fails is an error of that request only", async () => {
  const { url } = serve(() => {
    throw new Error("no snapshot yet\nsecond line");
  });
  const response = await fetch(new URL("stats", url));
  assert.equal(response.status, 500);
  assert.equal(await response.text(), "no snapshot yet\n");
  assert.equal((await fetch(new URL("healthz", url))).status, 200);
});

test("stop() ends listeners and frees the port", async () => {
  const server = serveStats({
    hostname: "127.0.0.1",
    port: 0,
    view: snapshotView(() => serverSnapshot()),
  });
  const response = await fetch(new URL("events", server.url));
  const reader = response.body!.getReader();
  await reader.read();
  await server.stop();
  // Either the end or a broken connection, but no waiting.
  await reader.read().then(({ done }) => assert.ok(done), () => {});
  const again = serve(() => serverSnapshot(), "127.0.0.1", server.port);
  assert.equal(again.port, server.port);
}, 20_000);

test("serveStats() answers on IPv6", async () => {
  const { url } = serve(() => serverSnapshot(), "::1");
  assert.match(url, /^http:\/\/\[::1\]:\d+\/$/);
  assert.equal((await fetch(url)).status, 200);
});
