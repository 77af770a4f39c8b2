import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { testWith } from "../../programs.ts";
import { until } from "../router/local_router.ts";
import { testAvailability } from "./ha_run.ts";

testWith(["haproxy"])(
  "wamp ha kills a node and brings it back: sessions return, nothing is lost or doubled",
  async () => {
    const { snapshot, io } = await testAvailability(
      { nodes: 2, connections: 8, ratePerSecond: 5 },
      "1s kill node2\n2.5s return node2\n5s rebalance\n6.5s end\n",
    );
    const text = [...io.outLines, ...io.noteLines].join("\n");
    const [kill, back, rebalance] = snapshot.steps;
    assert.equal(kill!.text, "kill node2", text);
    assert.deepEqual([kill!.lost, kill!.back], [4, 4], text);
    assert.deepEqual([kill!.before, kill!.after], [{ node1: 4, node2: 4 }, { node1: 8, node2: 0 }]);
    assert.equal(back!.lost, 0);
    assert.equal(rebalance!.recycled, 4, text);
    assert.deepEqual(rebalance!.after, { node1: 4, node2: 4 }, text);
    const { events, publications } = snapshot.probe;
    assert.deepEqual([events.lost, events.duplicated], [0, 0], text);
    assert.ok(events.forwarded > 0);
    assert.ok(publications.answered > 100, text);
    assert.ok(snapshot.axis.some(({ steps }) => steps.includes("kill node2")));
    assert.match(text, /holdfast wamp ha: .*steps\.txt on 2 nodes behind HAProxy/);
    assert.match(text, /on-marked-down shutdown-sessions/);
  },
  60_000,
);

testWith(["haproxy"])("wamp ha ends what it started when it is interrupted", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 2_500);
  const changes = { nodes: 2, connections: 4 };
  const { exitCode } = await testAvailability(changes, "30s kill node2\n", stop.signal);
  assert.equal(exitCode, 130);
}, 30_000);

/** A process that this one started and that has all these words in its command line. */
function childWith(...words: readonly string[]): number | undefined {
  const read = (path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return ""; // it has ended
    }
  };
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    const parent = / \S (\d+)/.exec(read(`/proc/${pid}/stat`).replace(/^.*\)/, ""))?.[1];
    const command = read(`/proc/${pid}/cmdline`).split("\0");
    return parent === String(process.pid) && words.every((word) => command.includes(word));
  });
  return found === undefined ? undefined : Number(found);
}

testWith(["haproxy"])(
  "wamp ha tells of a router that ended by itself, and proves nothing",
  async () => {
    const killing = (async () => {
      await until(() => childWith("-db") !== undefined, 20_000);
      await Bun.sleep(1_000);
      process.kill(childWith("router", "node2")!, "SIGKILL");
    })();
    const settings = { nodes: 2, connections: 4, calls: false };
    const { exitCode, snapshot } = await testAvailability(settings, "500ms rebalance\n3s end\n");
    await killing;
    assert.deepEqual(snapshot.ends.map(({ name }) => name), ["node2"]);
    const { kind, reasons } = snapshot.probe.verdict!;
    assert.deepEqual([kind, exitCode], ["invalid", 3]);
    assert.match(reasons[0]!, /^node2 ended by itself after /);
  },
  40_000,
);
