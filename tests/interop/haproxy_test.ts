import assert from "node:assert/strict";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { testWith } from "../programs.ts";
import { LocalServer } from "../server/running_server.ts";
import { Directory, freePort, Program } from "./program.ts";

testWith(["haproxy"])("every answer comes back through haproxy: tcp, ws, wss", async () => {
  using directory = new Directory();
  await using server = await LocalServer.start(
    ["tcp://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"],
    { writeCertDirectory: directory.path },
  );
  const [tcp, ws, wss] = [await freePort(), await freePort(), await freePort()];
  const config = await directory.write(
    "haproxy.cfg",
    `global
       maxconn 1000
     defaults
       timeout connect 5s
       retries 0
       timeout client 30s
       timeout server 30s
       timeout tunnel 30s
     listen plain
       mode tcp
       bind 127.0.0.1:${tcp}
       server holdfast 127.0.0.1:${server.portOf("tcp")}
     listen web
       mode http
       bind 127.0.0.1:${ws}
       server holdfast 127.0.0.1:${server.portOf("ws")}
     listen encrypted
       mode http
       bind 127.0.0.1:${wss}
       server holdfast 127.0.0.1:${
      server.portOf("wss")
    } ssl verify required ca-file ${directory.path}/ca.pem
`,
  );
  await using _ = await Program.start(
    ["haproxy", "-V", "-db", "-f", config],
    /Using epoll/,
  );
  const load = ["-c", "50", "-r", "2000", "-t", "500ms", "--size", "300", "--verify"];
  for (
    const target of [`tcp://127.0.0.1:${tcp}`, `ws://127.0.0.1:${ws}`, `ws://127.0.0.1:${wss}`]
  ) {
    const snapshot = allAnswered(await runClient([target, ...load]));
    assert.equal(snapshot.bytes.received, snapshot.bytes.sent);
  }
  const { endpoints } = await server.snapshotWith("all have gone", ({ total }) => total.open === 0);
  assert.deepEqual(endpoints.map(({ counts }) => counts.accepted), [50, 50, 50]);
  assert.deepEqual(endpoints.map(({ counts }) => counts.refused), [{}, {}, {}]);
}, 30_000);

testWith(["haproxy"])(
  "holdfast client reports what haproxy says when its server is gone",
  async () => {
    using directory = new Directory();
    const [tcp, ws] = [await freePort(), await freePort()];
    const nobody = await freePort();
    const config = await directory.write(
      "haproxy.cfg",
      `defaults
       timeout connect 5s
       retries 0
       timeout client 30s
       timeout server 30s
     listen plain
       mode tcp
       bind 127.0.0.1:${tcp}
       server holdfast 127.0.0.1:${nobody}
     listen web
       mode http
       bind 127.0.0.1:${ws}
       server holdfast 127.0.0.1:${nobody}
`,
    );
    await using _ = await Program.start(
      ["haproxy", "-V", "-db", "-f", config],
      /Using epoll/,
    );
    const viaTcp = await runClient([`tcp://127.0.0.1:${tcp}`, "-c", "3", "-r", "50", "-t", "2s"]);
    assert.equal(viaTcp.exitCode, 4);
    assert.match(
      viaTcp.err,
      /^holdfast: tcp:[^\n]*Every connection ended before the run did[^\n]*\n$/,
    );
    const viaWs = await runClient([`ws://127.0.0.1:${ws}`, "-c", "3", "-r", "50", "-t", "2s"]);
    assert.equal(viaWs.exitCode, 4);
    assert.match(viaWs.err, /^holdfast: ws:[^\n]*3 refused \([^\n]*HTTP\/1\.[01] 503[^\n]*\n$/);
  },
  30_000,
);
