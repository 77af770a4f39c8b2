import assert from "node:assert/strict";
import { test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../../lib/errors.ts";
import { freePorts } from "../../../lib/wamp/ha/free_ports.ts";
import { Haproxy } from "../../../lib/wamp/ha/haproxy.ts";
import { haproxyConfig } from "../../../lib/wamp/ha/haproxy_config.ts";
import { testWith } from "../../programs.ts";

const settings = (port: number, ports: readonly number[], folder: string) => ({
  host: "127.0.0.1",
  port,
  nodes: ports.map((each, index) => ({
    name: `node${index + 1}`,
    host: "127.0.0.1",
    port: each,
  })),
  statsSocket: join(folder, "haproxy.sock"),
  maxConnections: 200,
});

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-haproxy-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

testWith(["haproxy"])(
  "Haproxy accepts its configuration, and knows which nodes are up",
  async () => {
    await withFolder(async (folder) => {
      const [port = 0, first = 0, second = 0] = freePorts(3);
      const serve = (port: number) =>
        Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("served") });
      const servers = [serve(first), serve(second)];
      const haproxy = new Haproxy(folder, settings(port, [first, second], folder), "haproxy");
      try {
        await haproxy.start(
          new AbortController().signal,
          ({ name }) => assert.fail(`${name} ended`),
        );
        assert.deepEqual([...await haproxy.states()].slice(0, 2), [["node1", "UP"], [
          "node2",
          "UP",
        ]]);
        await servers[1]!.stop(true);
        let states = await haproxy.states();
        const untilMs = performance.now() + 10_000;
        while (states.get("node2") !== "DOWN" && performance.now() < untilMs) {
          await Bun.sleep(50);
          states = await haproxy.states();
        }
        assert.equal(states.get("node2"), "DOWN");
        assert.equal(states.get("node1"), "UP");
      } finally {
        await haproxy.stop();
        for (const server of servers) await server.stop(true);
      }
    });
  },
  30_000,
);

testWith(["haproxy"])("Haproxy says what it does not accept", async () => {
  await withFolder((folder) => {
    const wrong = { ...settings(1, [1], folder), host: "no such host" };
    assert.throws(() => new Haproxy(folder, wrong, "haproxy"), /does not accept .*haproxy\.cfg/);
    return Promise.resolve();
  });
});

test("Haproxy says how to install it where it is missing", async () => {
  await withFolder((folder) => {
    assert.throws(
      () => new Haproxy(folder, settings(1, [1], folder), "no-such-haproxy"),
      (error) => error instanceof UsageError && /apt-get install haproxy/.test(error.message),
    );
    return Promise.resolve();
  });
});

test("haproxyConfig() checks over HTTP, marks down at the first refusal, ends sessions", () => {
  const text = haproxyConfig(settings(8080, [8081, 8082], "/tmp"));
  for (
    const wanted of [
      "balance leastconn",
      "option redispatch",
      "meth GET uri /info",
      "inter 500ms",
      "observe layer4",
      "on-error mark-down",
      "on-marked-down shutdown-sessions",
      "server node2 127.0.0.1:8082",
    ]
  ) assert.ok(text.includes(wanted), wanted);
});
