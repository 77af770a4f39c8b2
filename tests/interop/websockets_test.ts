import assert from "node:assert/strict";
import { join } from "node:path";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { pythonWith, testWith } from "../programs.ts";
import { LocalServer } from "../server/running_server.ts";
import { Directory, Program } from "./program.ts";

const needs = "python3-websockets";
const script = (name: string) => [pythonWith(needs), join(import.meta.dir, name)];

/** `websockets` as an echo server. */
async function serve(): Promise<[Program, string]> {
  const program = await Program.start(script("websockets_server.py"), /port (\d+)\n/);
  const [, port] = /port (\d+)/.exec(program.text) ?? [];
  return [program, `ws://127.0.0.1:${port}`];
}

testWith([needs])("holdfast client gets every answer of a server by websockets", async () => {
  const [program, url] = await serve();
  await using _ = program;
  const load = ["-c", "50", "-r", "1000", "-t", "500ms", "--verify"];
  allAnswered(await runClient([`${url}/echo`, ...load]));
  // The lengths at which the header of a frame changes its size, and fragments of a message.
  for (const size of ["125", "126", "65535", "65536", "1MiB"]) {
    const inflight = ["-c", "2", "--inflight", "2", "--size", size, "-t", "200ms", "--verify"];
    allAnswered(await runClient([`${url}/echo`, ...inflight]));
  }
  await program.says(/closed with 1000/);
}, 30_000);

testWith([needs])("holdfast client answers the pings of websockets", async () => {
  const [program, url] = await serve();
  await using _ = program;
  const { exitCode, err } = await runClient([`${url}/ping`, "-t", "500ms"]);
  assert.equal(exitCode, 0, err);
  await program.says(/3 pongs\nclosed with 1000/);
}, 20_000);

testWith([needs])("holdfast client reports how websockets refuses and closes", async () => {
  const [program, url] = await serve();
  await using _ = program;
  const load = ["-c", "3", "-r", "100", "-t", "2s"];
  const refused = await runClient([`${url}/elsewhere`, ...load]);
  assert.equal(refused.exitCode, 4);
  assert.match(refused.err, /^holdfast: ws:[^\n]*3 \w+ \([^\n]*HTTP\/1\.1 404[^\n]*\n$/);
  for (const code of ["1011", "1013", "4000"]) {
    const closed = await runClient([`${url}/close/${code}`, ...load]);
    assert.equal(closed.exitCode, 4);
    assert.match(
      closed.err,
      new RegExp(`^holdfast: ws:[^\\n]*3 [\\w-]+ \\([^\\n]*${code}[^\\n]*\\n$`),
    );
    assert.equal(closed.snapshot?.connections.lost, 3);
  }
}, 30_000);

for (const scheme of ["ws", "wss"] as const) {
  testWith([needs])(`websockets finds holdfast server to be a good echo: ${scheme}`, async () => {
    using directory = new Directory();
    await using server = await LocalServer.start(
      [`${scheme}://127.0.0.1:0`],
      scheme === "wss" ? { writeCertDirectory: directory.path } : {},
    );
    const trust = scheme === "wss" ? [`${directory.path}/ca.pem`] : [];
    const url = `${scheme}://127.0.0.1:${server.portOf(scheme)}/`;
    await using client = new Program([...script("websockets_client.py"), url, ...trust]);
    client.endInput();
    assert.equal(await client.ended(), 0, client.text);
    assert.match(client.text, /^echoes\nechoes where compression is offered\n100 at once\n/);
    const codes = /close codes \{(.*)\}/.exec(client.text)?.[1];
    // RFC 6455, section 7.4.1: 1007 for bytes that are no UTF-8, 1002 for what no frame may be.
    assert.equal(
      codes,
      "'invalid UTF-8': 1007, 'unknown opcode': 1002, 'reserved bit': 1002, " +
        "'unmasked': 1002, 'close': 1000",
    );
    await server.snapshotWith("all have gone", ({ total }) => total.open === 0);
  }, 30_000);
}
