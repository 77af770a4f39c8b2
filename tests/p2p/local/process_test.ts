import assert from "node:assert/strict";
import process from "node:process";
import type { NetworkSnapshotJson } from "../../../lib/p2p/local/network_json.ts";
import { holdfast } from "../../end_to_end/command_line.ts";
import { Directory, Program } from "../../interop/program.ts";
import { testWith } from "../../programs.ts";
import { until } from "../../server/running_server.ts";
import { isAlive } from "../../workers/alive.ts";
import { parsePrometheusText } from "../metrics/prometheus_text.ts";

/** A `holdfast p2p local` that leads a process group of its own, as a shell starts it, and runs. */
async function startGroup(directory: Directory, ...args: readonly string[]) {
  const program = new Program([
    ...["setsid", ...holdfast, "p2p", "local", "-n", "3", "--heartbeat-millis", "20", "-t", "1m"],
    ...["--run-folder", `${directory.path}/run`, "--stats", "127.0.0.1:0", ...args],
  ]);
  const [, url] = await program.says(/^statistics on (\S+)$/m);
  await program.says(/ running .* p50 /);
  const read = async () => await (await fetch(`${url}stats`)).json() as NetworkSnapshotJson;
  const { run, nodes } = await read();
  const pids = nodes.map(({ pid }) => pid);
  assert.equal(new Set(pids).size, 3);
  assert.ok(pids.every(isAlive));
  return { program, url: url!, pid: run.pid, pids, read };
}

testWith(["setsid"])(
  "no node outlives a parent that is killed, not even one that hangs",
  async () => {
    using directory = new Directory();
    const { program, pid, pids } = await startGroup(directory);
    await using _ = program;
    process.kill(pids[1]!, "SIGSTOP");
    process.kill(pid, "SIGKILL");
    await until("the nodes are gone", () => !pids.some(isAlive));
    await program.ended();
  },
  60_000,
);

testWith(["setsid"])(
  "Ctrl-C ends all nodes with one report; until then one page shows all",
  async () => {
    using directory = new Directory();
    const { program, url, pid, pids, read } = await startGroup(directory);
    await using _ = program;
    const { deliveries, nodes, phase } = await read();
    assert.equal(phase, "running");
    const { expected, delivered, inFlight, missed, missedWhileDown, unknown } = deliveries;
    assert.equal(delivered + inFlight + missed + missedWhileDown + unknown, expected);
    assert.deepEqual(
      nodes.map(({ id, state, peers }) => [id, state, peers]),
      [0, 1, 2].map((id) => [
        ...[id, "up", 2],
      ]),
    );
    const metrics = parsePrometheusText(await (await fetch(`${url}metrics`)).text());
    assert.ok(metrics.size > 30);
    assert.match(await (await fetch(url)).text(), /p2p-network/);
    process.kill(-pid, "SIGINT");
    assert.equal(await program.ended(), 130, program.text);
    assert.match(program.text, /^holdfast p2p local: 3 nodes, gossipsub$/m);
    assert.match(program.text, /, interrupted$/m);
    assert.match(program.text, /^verdict +ok|INVALID/m);
    assert.ok(!pids.some(isAlive));
  },
  60_000,
);
