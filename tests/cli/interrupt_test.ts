import { test } from "bun:test";
import assert from "node:assert/strict";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { runClient } from "./client_process.ts";
import * as wrong from "./wrong_servers.ts";

interface Phase {
  readonly behaviour: wrong.Behaviour;
  readonly options: string;
  /** The line of this phase. */
  readonly when: RegExp;
  readonly check: (snapshot: ClientSnapshot) => void;
}

const phases: Record<string, Phase> = {
  "the ramp": {
    behaviour: wrong.echo,
    options: "-c 10000 --connect-rate 50 -r 100",
    when: /s ramp /,
    check: ({ connections, messages }) => {
      assert.ok(connections.opened > 10 && connections.opened < 10_000);
      assert.equal(messages.due, 0);
    },
  },
  "a ramp in which nobody answers": {
    behaviour: wrong.silent,
    options: "-c 10 -r 100 --connect-timeout 1m",
    when: /s ramp /,
    check: ({ connections }) =>
      assert.deepEqual([connections.attempted, connections.opened], [10, 0]),
  },
  "the warm-up": {
    behaviour: wrong.echo,
    options: "-c 10 -r 100 --warmup 1m",
    when: /s warmup /,
    check: ({ messages, steady }) => {
      assert.ok(messages.answered > 0);
      assert.equal(steady.due, 0);
    },
  },
  "the steady phase": {
    behaviour: wrong.echo,
    options: "-c 10 -r 100 -t 1m",
    when: /s steady /,
    check: ({ steady, steadyMs }) => {
      assert.ok(steady.answered > 0);
      assert.ok(steadyMs > 100 && steadyMs < 30_000);
    },
  },
  "a closed loop": {
    behaviour: wrong.echo,
    options: "-c 10 --inflight 3 -t 1m",
    when: /s steady /,
    check: ({ steady }) => assert.ok(steady.answered > 0),
  },
  "a hold without messages": {
    behaviour: wrong.echo,
    options: "-c 10 -t 1m",
    when: /s steady /,
    check: ({ connections }) => assert.equal(connections.open, 10),
  },
  "the drain": {
    behaviour: wrong.silent,
    options: "-c 10 -r 100 -t 100ms --timeout 1m",
    when: /s drain /,
    check: ({ steady }) => {
      assert.ok(steady.sent > 0);
      assert.equal(steady.lost.unanswered, steady.sent);
    },
  },
};

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} ends holdfast client with a full report in every phase`, async () => {
    await Promise.all(
      Object.entries(phases).map(async ([name, { behaviour, options, when, check }]) => {
        await using server = await wrong.tcpServer(behaviour);
        const scheme = name.includes("nobody answers") ? "ws" : "tcp";
        const { exitCode, out, err, snapshot } = await runClient(
          [`${scheme}://127.0.0.1:${server.port}`, ...options.split(" ")],
          { interruption: { when, signals: [signal] } },
        );
        assert.equal(exitCode, 130, `${name}: ${err}`);
        assert.match(out, /^time .* interrupted$/m, name);
        assert.match(out, /^verdict /m, name);
        assert.doesNotMatch(err, /^holdfast: /m, name);
        assert.ok(snapshot !== undefined, name);
        assert.equal(snapshot.interrupted, true, name);
        assert.equal(snapshot.phase, "done", name);
        check(snapshot);
      }),
    );
  }, 30_000);
}

test("a second SIGINT ends holdfast client at once", async () => {
  await using server = await wrong.tcpServer(wrong.silent);
  const { exitCode, out, snapshot } = await runClient(
    [`tcp://127.0.0.1:${server.port}`, ..."-r 100 -t 1m --timeout 1m".split(" ")],
    { interruption: { when: /s steady /, signals: ["SIGINT", "SIGINT"] } },
  );
  assert.equal(exitCode, 130);
  assert.equal(out, "");
  assert.equal(snapshot, undefined);
}, 30_000);
