import { test } from "bun:test";
import assert from "node:assert/strict";
import { mostOpenOf16Bits } from "../../lib/load/ledger.ts";
import { judge } from "../../lib/stats/verdict.ts";
import { ChildServer } from "./child_server.ts";
import { poisson, runLoad, uniform } from "./load_run.ts";

const ratePerSecond = 50_000_000;
const megabytes = 2 ** 20;

for (const load of [uniform(ratePerSecond), poisson(ratePerSecond)]) {
  test(
    `LoadGenerator says what it missed of an impossible ${load.kind} plan, in time`,
    async () => {
      await using server = await ChildServer.start("echo_server.ts", {});
      const rssBefore = process.memoryUsage.rss();
      let rssPeak = 0;
      const watch = setInterval(() => rssPeak = Math.max(rssPeak, process.memoryUsage.rss()), 50);
      const { snapshot, tookMs } = await runLoad({
        endpoint: `tcp://127.0.0.1:${server.port}`,
        load,
        message: 32,
        connections: 10,
        warmupMs: 200,
        durationMs: 2000,
        drainMs: 1000,
        isTraced: false,
      });
      clearInterval(watch);
      const { steady, messages, requestedRate, achievedRate } = snapshot;
      const text = JSON.stringify({ steady, messages, requestedRate, achievedRate, tookMs });
      assert.ok(tookMs < 6000, `took ${tookMs} ms`);
      assert.ok(rssPeak - rssBefore < 600 * megabytes, `${(rssPeak - rssBefore) / megabytes} MB`);
      // The plan is known: every message of it is accounted for, in the phase that it belongs to.
      const deviation = load.kind === "uniform" ? 0 : 6 * Math.sqrt(2 * ratePerSecond);
      assert.ok(Math.abs(steady.due - 2 * ratePerSecond) <= deviation, text);
      assert.ok(Math.abs(messages.due - 110_000_000) <= 1.1 * deviation, text);
      assert.ok(steady.unsent.generatorLate > 0.5 * steady.due, text);
      assert.ok(messages.answered > 10_000, text);
      assert.ok(achievedRate < 0.5 * requestedRate, text);
      const verdict = judge(snapshot, { expectations: [], maxLatenessP99Ns: Infinity });
      assert.equal(verdict.kind, "invalid", verdict.reasons.join(" "));
      assert.match(verdict.reasons[0]!, /did not keep its plan/);
    },
    30_000,
  );
}

test(
  "LoadGenerator blames the target where that owes more answers than can be awaited",
  async () => {
    // It takes everything and answers nothing, so that the 16-bit ids of the connection run out.
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { snapshot, tookMs } = await runLoad({
      endpoint: `tcp://127.0.0.1:${listener.port}`,
      load: uniform(150_000),
      message: "example.com/A",
      durationMs: 1000,
      replyTimeoutMs: 600,
      drainMs: 2000,
      isTraced: false,
    });
    listener.stop(true);
    const { messages, generator } = snapshot;
    const text = JSON.stringify(messages);
    assert.ok(tookMs < 5000, `took ${tookMs} ms`);
    assert.equal(messages.due, 150_000, text);
    assert.ok(messages.sent >= 49_152 && messages.lost.timeout === messages.sent, text);
    assert.ok(messages.unsent.heldBack > 1000, text);
    assert.ok(generator.heldBackSends >= messages.unsent.heldBack, text);
    const verdict = judge(snapshot, { expectations: [], maxLatenessP99Ns: Infinity });
    const reasons = verdict.reasons.join(" ");
    assert.match(reasons, /target held sends back/);
    assert.doesNotMatch(reasons, /generator did not keep|generator was late/);
  },
  20_000,
);

test("a closed loop keeps as many outstanding as ids allow, and goes on", async () => {
  await using server = await ChildServer.start("echo_server.ts", {});
  let most = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "inflight", outstanding: 60_000 },
    message: "example.com/A",
    durationMs: 700,
    isTraced: false,
    during: ({ ledger }) => timer = setInterval(() => most = Math.max(most, ledger.openOn(0)), 1),
  });
  clearInterval(timer);
  const { messages, anomalies } = snapshot;
  const text = JSON.stringify({ messages, most });
  assert.ok(most > 10_000 && most <= mostOpenOf16Bits, text);
  assert.ok(messages.sent > 2 * mostOpenOf16Bits, text);
  assert.equal(messages.answered, messages.due, text);
  assert.deepEqual(Object.values(anomalies), [0, 0, 0, 0, 0]);
}, 20_000);
