import assert from "node:assert/strict";
import { startClient, statsOf } from "../end_to_end/command_line.ts";
import { RestartedServer } from "../end_to_end/restarted_server.ts";
import { testWith } from "../programs.ts";
import { Directory, freePort, Program } from "./program.ts";

const connections = 20;

testWith(["haproxy"])(
  "--identify shows how connections spread over servers behind haproxy, before and after outages",
  async () => {
    using directory = new Directory();
    await using first = await RestartedServer.start(["tcp", "ws"], ["--announce", "first"]);
    await using second = await RestartedServer.start(["tcp", "ws"], ["--announce", "second"]);
    const [tcp, ws] = [await freePort(), await freePort()];
    const serverLines = (scheme: "tcp" | "ws") =>
      [first, second].map(({ server }, index) =>
        `server s${index} 127.0.0.1:${server.portOf(scheme)} check inter 100ms rise 2 fall 1`
      ).join("\n       ");
    const config = await directory.write(
      "haproxy.cfg",
      `defaults
       timeout connect 1s
       retries 1
       option redispatch 1
       timeout client 30s
       timeout server 30s
       timeout tunnel 30s
       balance roundrobin
     listen plain
       mode tcp
       bind 127.0.0.1:${tcp}
       ${serverLines("tcp")}
     listen web
       mode http
       bind 127.0.0.1:${ws}
       ${serverLines("ws")}
`,
    );
    await using _ = await Program.start(["haproxy", "-V", "-db", "-f", config], /Using epoll/);
    const options = ["-c", connections, "-r", "200", "-t", "9s", "--reconnect", "50ms..300ms"];
    const clients = [`tcp://127.0.0.1:${tcp}`, `ws://127.0.0.1:${ws}`].map((endpoint) =>
      startClient([endpoint, ...options.map(String), "--identify"])
    );
    const allAreOn = async (what: string, ...servers: string[]) => {
      const deadlineMs = performance.now() + 15_000;
      for (const client of clients) {
        for (;;) {
          const { servers: spread = {} } = await statsOf(client);
          const open = servers.reduce((sum, name) => sum + (spread[name] ?? 0), 0);
          if (open === connections && servers.every((name) => spread[name]! > 0)) break;
          assert.ok(performance.now() < deadlineMs, `${what}: ${JSON.stringify(spread)}`);
          await Bun.sleep(20);
        }
      }
    };
    try {
      await allAreOn("at first", "first", "second");
      await second.kill();
      await allAreOn("without the second", "first");
      await second.startAgain();
      // Outages are told apart when there is a second between them.
      await Bun.sleep(1500);
      await first.kill();
      await allAreOn("without the first", "second");
      await first.startAgain();
      for (const client of clients) {
        const { text, snapshot } = await client.ended;
        const { outages, servers, connections: counts } = snapshot;
        assert.equal(outages?.total, 2, text);
        const [ofSecond, ofFirst] = outages.list;
        assert.deepEqual(ofSecond!.before, { first: 10, second: 10 }, text);
        assert.equal(ofSecond!.connections, 10, text);
        assert.deepEqual(ofSecond!.after, { first: 20, second: 0 }, text);
        assert.deepEqual(ofFirst!.before, { first: 20, second: 0 }, text);
        assert.equal(ofFirst!.connections, 20, text);
        assert.deepEqual(ofFirst!.after, { first: 0, second: 20 }, text);
        assert.deepEqual(servers, { first: 0, second: 20 }, text);
        assert.ok(ofSecond!.isOver && ofFirst!.isOver, text);
        assert.equal(counts.open, connections, text);
        assert.match(text, /^ +before: first 10, second 10$/m);
        assert.match(text, /^ +after: first 20, second 0$/m);
        assert.match(text, /^servers +first 0, second 20$/m);
      }
    } finally {
      for (const { program } of clients) await program[Symbol.asyncDispose]();
    }
  },
  60_000,
);
