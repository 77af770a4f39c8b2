import { test } from "bun:test";
import assert from "node:assert/strict";
import { formatEndpoint } from "../../lib/transport/endpoint.ts";
import { Program } from "../interop/program.ts";
import { ChildServer } from "../server/running_server.ts";
import { holdfastWithin } from "./command_line.ts";

const fdLimit = 400;

test("--reconnect to a target that answers nothing does not use up descriptors", async () => {
  await using server = await ChildServer.start(["tcp://127.0.0.1:0", "--backlog", "1"]);
  const endpoint = formatEndpoint(server.endpoints[0]!);
  // Nobody accepts any more: what does not fit into the queue waits for the kernel to give up.
  server.kill("SIGSTOP");
  await using client = new Program([
    ...[...holdfastWithin(fdLimit), "client", endpoint, "-c", "50", "-t", "5s"],
    ...["--connect-timeout", "100ms", "--reconnect", "20ms..50ms", "--stats", "off", "--quiet"],
  ]);
  const exitCode = await client.ended();
  assert.equal(exitCode, 0, client.text);
  const attempts = /([\d,]+) timeout, first after/.exec(client.text)?.[1] ?? "";
  assert.ok(Number(attempts.replaceAll(",", "")) > 1.5 * fdLimit, client.text);
  assert.doesNotMatch(client.text, /this is a bug|host-fds/);
  assert.match(client.text, /^outages +began/m);
}, 30_000);
