import { test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { readConfig } from "../../../lib/wamp/router/config.ts";
import { linkKey } from "../../../lib/wamp/router/link_key.ts";
import {
  linkUrl,
  listenUrl,
  type RouterOptions,
  routerRows,
} from "../../../lib/wamp/router/options.ts";
import { run } from "../../../lib/wamp/router/run.ts";
import { formatListenUrl } from "../../../lib/wamp/transport/listen_url.ts";
import { CollectedIo } from "../../cli/collected_io.ts";
import { probe } from "../probe/probe_run.ts";
import { RawClient } from "./raw_client.ts";
import { until } from "./local_router.ts";

async function withFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-router-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs the subcommand until `use` is over. */
async function whileRunning(
  changes: Partial<RouterOptions>,
  use: (out: readonly string[], notes: readonly string[]) => Promise<void>,
): Promise<readonly string[]> {
  const stop = new AbortController();
  const io = new CollectedIo();
  const commandLine = commandLineOf(routerRows, [], { statsAddress: "off", ...changes });
  const running = run(commandLine, io, stop.signal);
  try {
    // To make a certificate takes long on a busy machine.
    await until(() => io.outLines.some((line) => line.startsWith("listening on")), 20_000);
    await use(io.outLines, io.noteLines);
  } finally {
    stop.abort();
    assert.equal(await running, 0);
  }
  return io.outLines;
}

test("run() routes until it is stopped, and says what it has done", async () => {
  const listen = [listenUrl.parse("ws://127.0.0.1:0/ws")];
  const lines = await whileRunning({ node: "n1", listen }, async (out) => {
    const client = await RawClient.join(out[0]!.replace("listening on ", ""));
    await client.ask([32, 1, {}, "com.example.a"]);
    client.send([16, 2, { exclude_me: false }, "com.example.a"]);
    await client.next();
    client.close();
    await client.closed;
  });
  assert.equal(lines.at(-1), "served 1 sessions, 1 events (0 forwarded), 0 calls");
});

test("run() links routers of a cluster file to each other, with a key that they make", async () => {
  await withFolder(async (folder) => {
    const ports = [0, 1].map(() => {
      const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
      const { port } = listener;
      listener.stop(true);
      return port;
    });
    const config = join(folder, "cluster.json");
    writeFileSync(
      config,
      JSON.stringify({
        realms: [{ name: "realm1" }],
        nodes: [0, 1].map((index) => ({
          node: `node${index + 1}`,
          host: "127.0.0.1",
          listen: ["ws://127.0.0.1:0/ws", `rs://:${ports[index]}`],
        })),
        linkKey: "cluster.key",
      }),
    );
    await whileRunning({ configFile: config, node: "node1" }, async (_, notesOfOne) => {
      await whileRunning({ configFile: config, node: "node2" }, async (_, notesOfOther) => {
        await until(() => notesOfOne.some((line) => line.startsWith("linked to node2")));
        await until(() => notesOfOther.some((line) => line.startsWith("linked to node1")));
      });
    });
    assert.match(readFileSync(join(folder, "cluster.key"), "utf8"), /^[0-9a-f]{64}\n$/);
    assert.equal(statSync(join(folder, "cluster.key")).mode & 0o777, 0o600);
  });
});

test("run() listens over TLS, with a certificate that it makes or is given", async () => {
  await withFolder(async (folder) => {
    const listen = ["wss://localhost:0/ws", "rss://127.0.0.1:0"].map((url) => listenUrl.parse(url));
    const fileOf = (name: string) => join(folder, name);
    const joinBoth = async (out: readonly string[]) => {
      const urls = out.filter((line) => line.startsWith("listening on "))
        .map((line) => line.slice("listening on ".length));
      const { snapshot } = await probe({
        urls,
        connections: 1,
        durationMs: 100,
        caFile: fileOf("ca.pem"),
      });
      // A busy machine may leave the probe no time to publish.
      assert.equal(snapshot.sessions.opened, 2, JSON.stringify(snapshot.verdict));
      assert.match(snapshot.urls.join(" "), /^wss:\/\/localhost:\d+\/ws rss:\/\/127\.0\.0\.1:\d+$/);
    };
    await whileRunning({ listen, writeCertDirectory: folder }, joinBoth);
    await whileRunning(
      { listen, certFile: fileOf("cert.pem"), keyFile: fileOf("key.pem") },
      joinBoth,
    );
  });
}, 60_000);

test("run() takes a certificate only for addresses with TLS, and links without", async () => {
  const { signal } = new AbortController();
  const listen = [listenUrl.parse("ws://127.0.0.1:0/ws")];
  const changes = { listen, certFile: "a", keyFile: "b" };
  const commandLine = commandLineOf(routerRows, [], { statsAddress: "off", ...changes });
  await assert.rejects(run(commandLine, new CollectedIo(), signal), /applies to wss or rss/);
  assert.throws(() => linkUrl.parse("rss://h:1"), /has TLS, which links do not have/);
});

test("linkKey() makes a key once, and refuses what is none", async () => {
  await withFolder((folder) => {
    const file = join(folder, "a.key");
    assert.equal(linkKey(file).publicKey, linkKey(file).publicKey);
    writeFileSync(file, "no key");
    assert.throws(() => linkKey(file), /64 hex digits/);
    assert.throws(() => linkKey(join(folder, "none", "a.key")), /cannot make the key of links/);
  });
});

test("readConfig() reads a node, and links it to all others", async () => {
  await withFolder((folder) => {
    const file = join(folder, "cluster.json");
    const nodes = [
      { node: "a", listen: ["ws://:8081/ws", "rs://:5081"] },
      { node: "b", host: "10.0.0.2", listen: ["ws://:8082/ws", "rs://:5082"] },
      { node: "c", listen: ["ws://10.0.0.3:8083/ws"] },
    ];
    const write = (content: object) => writeFileSync(file, JSON.stringify(content));
    write({ nodes });
    const { node, listen, links, realms } = readConfig(file, "a", "loose");
    assert.equal(node, "a");
    assert.equal(listen.length, 2);
    assert.deepEqual(links.map((url) => formatListenUrl(url)), [
      "rs://10.0.0.2:5082",
      "ws://10.0.0.3:8083/ws",
    ]);
    write({ nodes: [nodes[0], { node: "d", listen: ["wss://:1/ws", "rss://:2", "ws://:3/ws"] }] });
    assert.equal(formatListenUrl(readConfig(file, "a", "loose").links[0]!), "ws://localhost:3/ws");
    write({ nodes: [nodes[0], { node: "d", listen: ["rss://:2"] }] });
    assert.throws(() => readConfig(file, "a", "loose"), /d listens on no port without TLS/);
    assert.equal(realms[0]!.anonymousRole, "anonymous");
    const key = "ab".repeat(32);
    write({
      nodes,
      realms: [{
        name: "r",
        roles: [{
          name: "user",
          permissions: [{ uri: "com.", match: "prefix", allow: { call: true } }],
        }],
        principals: [{ authid: "joe", key, roles: ["user"] }],
      }],
    });
    const [realm] = readConfig(file, "b", "loose").realms;
    // Who is not mentioned is not let in.
    assert.equal(realm!.anonymousRole, undefined);
    assert.deepEqual(realm!.principals, [{ authid: "joe", publicKey: key, roles: ["user"] }]);
    const user = realm!.roles.find(({ name }) => name === "user")!;
    assert.ok(user.may("call", "com.x") && !user.may("publish", "com.x"));
    for (
      const [content, expected] of [
        [{ nodes, other: 1 }, /unknown member "other"/],
        [{ nodes: [{ node: "a", listen: ["tcp://:1"] }] }, /nodes\[0\]\.listen\[0\]/],
        [{ nodes: [nodes[0], nodes[0]] }, /two nodes that are called a/],
        [{ nodes: [{ node: "x", listen: ["ws://:1"] }] }, /has the nodes x; say with --node/],
        [
          { nodes, realms: [{ name: "r", principals: [{ authid: "x", key: "1", roles: ["u"] }] }] },
          /key/,
        ],
        [{
          nodes,
          realms: [{ name: "r", roles: [], principals: [], anonymous: 7 }],
        }, /anonymous is 7; a text/],
        [{ nodes, realms: [{ name: "r", anonymous: "router2router" }] }, /only routers with a key/],
        [{
          nodes,
          realms: [{
            name: "r",
            principals: ["joe", "jim"].map((authid) => ({ authid, key, roles: ["user"] })),
          }],
        }, /two principals with key abab/],
      ] as const
    ) {
      write(content);
      assert.throws(() => readConfig(file, "a", "loose"), expected);
    }
  });
});
