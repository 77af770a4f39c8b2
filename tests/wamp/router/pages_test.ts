import { test } from "bun:test";
import assert from "node:assert/strict";
import { withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

/** Sends bytes, and gives what comes back until the other side ends or `text` is complete. */
async function request(port: number, bytes: string): Promise<string> {
  let heard = "";
  let done: () => void = () => {};
  const complete = new Promise<void>((resolve) => done = resolve);
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_socket, data) {
        heard += data.toString();
        const length = Number(/content-length: (\d+)/i.exec(heard)?.[1] ?? NaN);
        const body = heard.indexOf("\r\n\r\n") + 4;
        if (body > 3 && heard.length >= body + (Number.isNaN(length) ? 0 : length)) done();
      },
      close: () => done(),
    },
  });
  socket.write(bytes);
  await complete;
  socket.terminate();
  return heard;
}

test("/, /info, /stats and /metrics tell who serves and what was done", async () => {
  await withRouter(async ({ ws }) => {
    const client = await RawClient.join(ws);
    await client.ask([32, 1, {}, "com.example.a"]);
    client.send([16, 2, { exclude_me: false }, "com.example.a"]);
    await client.next();
    const base = ws.replace("ws:", "http:").replace(/\/ws$/, "");
    const info = await (await fetch(`${base}/info`)).text();
    assert.match(
      info,
      new RegExp(
        `^Served for tcp4:127.0.0.1:\\d+ from holdfast router node1 with PID ${process.pid}\n$`,
      ),
    );
    const stats = await (await fetch(`${base}/stats`)).json() as Record<string, unknown>;
    assert.deepEqual([stats["node"], stats["eventsLocal"], stats["publications"]], ["node1", 1, 1]);
    const [realm] = stats["realms"] as Record<string, unknown>[];
    assert.deepEqual([realm!["sessions"], realm!["subscriptions"]], [1, 1]);
    const metrics = await (await fetch(`${base}/metrics`)).text();
    assert.match(metrics, /^holdfast_wamp_sessions\{node="node1",realm="realm1"\} 1$/m);
    assert.match(metrics, /^holdfast_wamp_events_total\{node="node1",from="local"\} 1$/m);
    const page = await fetch(base);
    assert.match(page.headers.get("content-type")!, /^text\/html/);
    assert.match(await page.text(), /realm1: sessions<\/th><td>1/);
    assert.equal((await fetch(`${base}/other`)).status, 404);
    client.close();
  });
});

test("requests as load balancers send them are answered", async () => {
  await withRouter(async ({ router }) => {
    const { port } = router.listeners[0]!;
    for (
      const head of [
        "GET /info HTTP/1.0\r\n\r\n",
        "GET /info HTTP/1.0\r\nHost: balancer\r\n\r\n",
        "GET /info?check=1 HTTP/1.1\r\nHost:\r\n\r\n",
        "OPTIONS /info HTTP/1.0\r\n\r\n",
      ]
    ) {
      const answer = await request(port, head);
      assert.match(answer, /^HTTP\/1\.\d 200 /, head);
      assert.match(answer, /Served for tcp4:127\.0\.0\.1:\d+ from holdfast router node1/, head);
    }
    assert.match(await request(port, "HEAD /info HTTP/1.0\r\n\r\n"), /^HTTP\/1\.\d 200 /);
  });
});

test("an upgrade needs the path and a subprotocol that is spoken", async () => {
  await withRouter(async ({ router }) => {
    const { port } = router.listeners[0]!;
    const upgrade = (path: string, subprotocol: string) =>
      request(
        port,
        `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
          `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
      );
    const accepted = await upgrade("/ws", "wamp.2.flatbuffers, wamp.2.cbor");
    assert.match(accepted, /^HTTP\/1.1 101 /);
    assert.match(accepted, /sec-websocket-protocol: wamp\.2\.cbor\r\n/i);
    assert.match(await upgrade("/ws", "wamp.1"), /^HTTP\/1.1 400 [^]*wamp\.2\.json/);
    assert.match(await upgrade("/other", "wamp.2.json"), /^HTTP\/1.1 404 /);
  });
});
