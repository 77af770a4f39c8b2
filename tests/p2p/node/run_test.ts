import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, HostLimitError, UsageError } from "../../../lib/errors.ts";
import { environmentName } from "../../../lib/options/row.ts";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { nodeRows, type NodeSettings } from "../../../lib/p2p/node/options.ts";
import { run } from "../../../lib/p2p/node/run.ts";
import { type NetworkProtocol, networkProtocols } from "../../../lib/p2p/network/network.ts";
import { CollectedIo } from "../../cli/collected_io.ts";
import { Directory, freePort, Program } from "../../interop/program.ts";
import { until } from "./networks.ts";

const alone = {
  nodeId: 0,
  numNodes: 1,
  bootstrap: ["/ip4/127.0.0.1/tcp/1"],
  metricPort: 0,
  listenPort: 0,
  connectTimeoutMs: 100,
  drainMs: 100,
};

async function runNode(
  changes: Partial<NodeSettings>,
  signal = new AbortController().signal,
  io = new CollectedIo(),
) {
  const exitCode = await run(commandLineOf(nodeRows, [], { ...alone, ...changes }), io, signal);
  return { exitCode, io, out: io.outLines.join("\n"), notes: io.noteLines.join("\n") };
}

/** Runs a node until so many messages are due, and interrupts it. */
async function runUntilDue(messages: number, changes: Partial<NodeSettings>) {
  const controller = new AbortController();
  const io = new CollectedIo();
  const running = runNode(changes, controller.signal, io);
  try {
    const url = () => /statistics on (\S+)/.exec(io.noteLines.join("\n"))?.[1];
    await until(() => url() !== undefined, "the address of the statistics");
    for (let due = 0; due < messages;) {
      due = (await (await fetch(new URL("stats", url()))).json()).broadcast.due;
      await Bun.sleep(5);
    }
  } finally {
    controller.abort();
  }
  return await running;
}

test("run() refuses what makes no sense, before anything begins", async () => {
  const wrong: [Partial<NodeSettings> | Record<string, undefined>, RegExp][] = [
    [{ nodeId: undefined }, /--id is required/],
    [{ numNodes: undefined }, /--num-nodes is required/],
    [{ bootstrap: undefined }, /--bootstrap is required/],
    [{ nodeId: 1 }, /--id 1 is no node of 1/],
    [{ mode: "one" }, /--broadcaster, with --mode one, is required/],
    [{ mode: "explore" }, /--broadcaster, with --mode explore, is required/],
    [{ mode: "one", broadcaster: 7 }, /--broadcaster 7 is no node of 1/],
    [{ messageBytes: 35 }, /no room for the header; write 36 or more/],
    [{ messageBytes: 2 ** 20 + 1, protocol: "sqmr" }, /sqmr carries messages up to 1048576 bytes/],
    [{ messageBytes: 2 ** 20 + 1, protocol: "reversed-sqmr" }, /1 MiB/],
    [{ messageBytes: 2 ** 22 + 1 }, /gossipsub carries messages up to 4194304 bytes/],
    [{ bootstrap: ["/ip4/127.0.0.1/udp/1"] }, /is no address of a peer/],
    [{ quic: true, bootstrap: ["/ip4/127.0.0.1/udp/1/quic-v1"] }, /QUIC/],
    [{ mode: "explore", broadcaster: 0, minThroughput: 1e12 }, /nothing to try/],
    [{ expectations: ["delivery.p98.x<1ms"] }, /unknown metric/],
    [{ forwarding: "sparing", protocol: "reversed-sqmr" }, /reversed-sqmr forwards nothing/],
    [{ warmupMs: 2000, timeoutSeconds: 2 }, /--warmup 2s is not over before --timeout 2 /],
  ];
  for (const [changes, message] of wrong) {
    await assert.rejects(
      runNode(changes as Partial<NodeSettings>),
      (error) => error instanceof UsageError && message.test(error.message),
      `${message}`,
    );
  }
});

test("run() names the option when a port is taken", async () => {
  using taken = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
  await assert.rejects(
    runNode({ metricPort: taken.port }),
    (error) => error instanceof HostLimitError && /--metric-port/.test(error.message),
  );
  await assert.rejects(
    runNode({ listenPort: taken.port }),
    (error) => error instanceof HostLimitError && /in use/.test(error.message),
  );
});

test("run() ends with 4 where no peer was ever reached", async () => {
  const { exitCode, out, notes } = await runNode({ numNodes: 2, timeoutSeconds: 0.4 });
  assert.equal(exitCode, exitCodes.targetUnreachable);
  assert.match(out, /STOPPED BY LIMIT/);
  assert.match(notes, /holdfast: None of 1 peers was ever reached/);
  assert.match(notes, /warn: only 0 of 1 peers are connected after 0\.1 s/);
});

test("run() says nothing but the report with --quiet and --verbosity 0", async () => {
  const { exitCode, io } = await runNode({ quiet: true, verbosity: 0, timeoutSeconds: 0.2 });
  // A node that is the whole network has nobody to miss, and nobody to broadcast to.
  assert.equal(exitCode, exitCodes.invalidRun);
  assert.deepEqual(io.noteLines, []);
  assert.ok(io.outLines.length > 5);
});

test("run() reports in full when it is interrupted", async () => {
  using directory = new Directory();
  const jsonFile = join(directory.path, "node.json");
  const { exitCode, out } = await runUntilDue(11, { heartbeatMs: 5, jsonFile, verbosity: 5 });
  assert.equal(exitCode, exitCodes.interrupted);
  assert.match(out, /, interrupted/);
  const json = JSON.parse(readFileSync(jsonFile, "utf8"));
  assert.equal(json.role, "p2p-node");
  assert.equal(json.interrupted, true);
  assert.equal(json.phase, "done");
  assert.ok(json.broadcast.due > 10);
});

test("run() counts what is due in --warmup, and does not time it", async () => {
  using directory = new Directory();
  const jsonFile = join(directory.path, "node.json");
  const { out } = await runUntilDue(100, { heartbeatMs: 5, warmupMs: 400, jsonFile });
  assert.match(out, /, after 0\.4 s of warm-up/);
  const result = JSON.parse(readFileSync(jsonFile, "utf8"));
  const { warmupMs, broadcast, histograms, running, elapsedMs } = result;
  assert.equal(warmupMs, 400);
  // Message k is due k heartbeats after the begin, so those of the warm-up are the first 80.
  assert.equal(broadcast.due - histograms.lateness.count, 80);
  assert.ok(histograms.lateness.count > 0);
  assert.ok(running.seconds > 0 && running.seconds < elapsedMs / 1000 - 0.4, `${running.seconds}`);
});

test("run() says so where it ends in its warm-up", async () => {
  const { exitCode, out } = await runUntilDue(1, { heartbeatMs: 5, warmupMs: 60_000 });
  assert.equal(exitCode, exitCodes.interrupted);
  assert.match(out, /, ended in \S+ (s|min) of warm-up, interrupted/);
  assert.match(out, /No time was measured: the run ended in its warm-up of/);
});

test("nodeRows have the variables of the benchmark, without a prefix", () => {
  const names = Object.values(nodeRows).map(environmentName);
  for (
    const name of [
      ...["ID", "NUM_NODES", "METRIC_PORT", "P2P_PORT", "BOOTSTRAP", "MODE", "NETWORK_PROTOCOL"],
      ...["BROADCASTER", "MESSAGE_SIZE_BYTES", "HEARTBEAT_MILLIS", "ROUND_DURATION_SECONDS"],
      ...["EXPLORE_COOL_DOWN_DURATION_SECONDS", "EXPLORE_RUN_DURATION_SECONDS"],
      ...["EXPLORE_MIN_THROUGHPUT_BYTE_PER_SECONDS", "EXPLORE_MIN_MESSAGE_SIZE_BYTES"],
      ...["EXPLORE_STOP_AT_LIMIT", "BUFFER_SIZE", "TIMEOUT", "VERBOSITY", "QUIC"],
    ]
  ) {
    assert.ok(names.includes(name), name);
  }
});

/** Three processes, of which node 1 broadcasts. */
async function broadcastToTwo(protocol: NetworkProtocol): Promise<void> {
  using directory = new Directory();
  const ports = [await freePort(), await freePort(), await freePort()];
  const programs = ports.map((port, id) =>
    new Program([
      ...[process.execPath, join(import.meta.dir, "../../../mod.ts"), "p2p", "node"],
      ...["--id", `${id}`, "--num-nodes", "3", "--p2p-port", `${port}`, "--metric-port", "0"],
      ...["--bootstrap", ports.map((each) => `/ip4/127.0.0.1/tcp/${each}`).join(",")],
      ...["--network-protocol", protocol, "--mode", "one", "--broadcaster", "1"],
      ...[
        "--heartbeat-millis",
        "5",
        "--timeout",
        "60",
        "--max-lateness",
        "30s",
      ],
      ...["--json", join(directory.path, `${id}.json`)],
      ...(id === 1 ? [] : ["--expect", "lost==0", "--expect", "duplicates==0"]),
    ])
  );
  try {
    await programs[1]!.says(/running +2 of 2 peers +(?!0\/s)[\d.,]+\/s out/);
    for (const id of [0, 2]) await programs[id]!.says(/ (?!0\/s)[\d.,]+\/s in\b/);
    // Whoever ends waits until everything has left; so the broadcaster ends first.
    for (const id of [1, 0, 2]) {
      programs[id]!.interrupt();
      assert.equal(await programs[id]!.ended(), exitCodes.interrupted, programs[id]!.text);
    }
  } finally {
    for (const program of programs) await program[Symbol.asyncDispose]();
  }
  const [first, broadcaster, last] = [0, 1, 2].map((id) =>
    JSON.parse(readFileSync(join(directory.path, `${id}.json`), "utf8"))
  );
  const { due, sent } = broadcaster.broadcast;
  assert.ok(due > 10, programs[1]!.text);
  assert.equal(sent, due, JSON.stringify(broadcaster.broadcast));
  const received = first.received.messages + last.received.messages;
  assert.equal(received, protocol === "sqmr" ? sent : 2 * sent);
  if (protocol === "sqmr") {
    // In turn, but for the moments in which only one of them is connected.
    assert.ok(first.received.messages > 0 && last.received.messages > 0);
    return;
  }
  for (const { verdict, senders } of [first, last]) {
    assert.deepEqual(verdict.expectations.map(({ passed }: { passed: boolean }) => passed), [
      true,
      true,
    ]);
    assert.equal(senders[0].sender, 1);
    assert.equal(senders[0].firstIndex, 0);
  }
}

test("holdfast p2p node: three processes over each protocol", async () => {
  await Promise.all(networkProtocols.map(broadcastToTwo));
}, 60_000);
