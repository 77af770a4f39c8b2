import { test } from "bun:test";
import assert from "node:assert/strict";
import { NodeLine } from "../../../lib/p2p/node/node_line.ts";
import { NodeLog } from "../../../lib/p2p/node/node_log.ts";
import { nodeSummary } from "../../../lib/p2p/node/node_summary.ts";
import { NodeWatch } from "../../../lib/p2p/node/node_watch.ts";
import {
  emptyBroadcastCounts,
  emptyEventCounts,
  emptyNodeHistograms,
  emptyReceiveCounts,
  type NodeSnapshot,
} from "../../../lib/p2p/snapshot.ts";
import { idleNode, senderCounts } from "../metrics/sample_node.ts";

function finishedNode(changes: Partial<NodeSnapshot> = {}): NodeSnapshot {
  const histograms = emptyNodeHistograms();
  histograms.delivery.recordMany(5e6, 8);
  histograms.sendDelay.recordMany(1e6, 990);
  const broadcast = emptyBroadcastCounts();
  broadcast.due = 1000;
  broadcast.sent = 990;
  broadcast.dropped.all_queues_full = 10;
  const received = emptyReceiveCounts();
  received.messages = 11;
  received.refused.truncated = 4;
  return idleNode({
    phase: "done",
    elapsedMs: 12_000,
    mostPeers: 2,
    peers: { connected: 2, reachable: 2, blacklisted: 0, sessionsIn: 2, sessionsOut: 2 },
    broadcast,
    received,
    senders: [senderCounts(0)],
    clockOffsets: [{ peer: 0, offsetNs: 250_000, boundNs: 30_000 }],
    histograms,
    running: { seconds: 10, cpuShare: 0.4, cpuWaitShare: 0.1 },
    verdict: { kind: "ok", reasons: [], expectations: [] },
    ...changes,
  });
}

test("nodeSummary() tells what was broadcast, received and how late", () => {
  const lines = nodeSummary(finishedNode(), 100);
  const text = lines.join("\n");
  assert.match(text, /^holdfast p2p node: node 1 of 3, gossipsub$/m);
  assert.match(text, /^load +1 KiB every 2\.5 ms from each of 3 nodes$/m);
  assert.match(text, /^messages due +1,000$/m);
  assert.match(text, /^ {2}sent +990 +99\.0 % {2}99\/s$/m);
  assert.match(text, /^ {2}dropped +10 +1\.0 % {2}10 all_queues_full$/m);
  assert.match(text, /^refused +4 truncated$/m);
  // A mean of 1 ms as the clocks show it, of which the sender's is 250 µs ahead.
  assert.match(text, /^0 +8 +2 +3 +1 +1 +1\.00 ms +250 µs +30\.0 µs +1\.25 ms$/m);
  assert.match(text, /^delivery +5\.00 ms/m);
  assert.match(text, /^verdict +ok$/m);
  for (const line of lines) assert.ok(line.length <= 100, line);
});

test("nodeSummary() shows of many senders those that something is wrong with", () => {
  const quiet = { pending: 0, duplicates: 0, outOfOrder: 0 };
  const senders = Array.from({ length: 50 }, (_, id) => senderCounts(id, id === 7 ? {} : quiet));
  const text = nodeSummary(finishedNode({ senders, numNodes: 51 }), 100).join("\n");
  assert.match(text, /^7 +8 +2 /m);
  assert.doesNotMatch(text, /^8 +8 /m);
  assert.match(text, /^nothing is missing, double or out of order of 49 others$/m);
});

test("nodeSummary() of a node that only receives, and in sqmr", () => {
  const changes = {
    ...{ broadcast: emptyBroadcastCounts(), protocol: "sqmr" as const },
    ...{ mode: "one" as const, broadcaster: 0 },
  };
  const text = nodeSummary(finishedNode(changes), 100).join("\n");
  assert.match(text, /^broadcast +nothing: node 1 only receives$/m);
  assert.match(text, /^0 +8 +– /m);
});

test("NodeLine.next() has the rates since the line before", () => {
  const line = new NodeLine();
  assert.equal(line.next(idleNode()), "    2 s connecting 0 of 2 peers");
  const text = line.next(finishedNode({ phase: "running", elapsedMs: 3_500 }));
  assert.match(text, /^ {4}4 s running {4}2 of 2 peers +495\/s out +5\.50\/s in +p50 5\.0/);
  assert.match(text, / 2 pending$/);
});

test("NodeWatch.look() tells what has changed, as far as the log is asked for it", () => {
  const told = (verbosity: number) => {
    const lines: string[] = [];
    const watch = new NodeWatch(new NodeLog(verbosity, (line) => lines.push(line)));
    const running = finishedNode({ phase: "running" });
    watch.look(idleNode());
    watch.look(running);
    watch.look(running);
    const events = emptyEventCounts();
    events.connections_closed = 3;
    watch.look({
      ...running,
      peers: { ...running.peers, connected: 1 },
      senders: [senderCounts(0, { restarts: 1 })],
      clockSteps: { count: 1, lastNs: 2e9 },
      events,
    });
    return lines;
  };
  assert.deepEqual(told(0), []);
  assert.deepEqual(told(1), []);
  assert.deepEqual(told(2), [
    "warn: the clock of this host was set by 2.00 s: one-way delays and turns go by it",
    "warn: 1 of 2 peers are connected",
    "warn: node 0 was restarted",
  ]);
  assert.deepEqual(told(3).slice(0, 3), [
    "info: phase: connecting",
    "info: phase: running",
    "info: 2 of 2 peers are connected",
  ]);
  assert.ok(told(4).includes("debug: network event connections_closed: 3"));
  assert.ok(told(4).includes("debug: dropped all_queues_full: 10"));
  assert.ok(told(4).includes("debug: refused truncated: 4"));
});
