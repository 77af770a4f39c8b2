import { test } from "bun:test";
import assert from "node:assert/strict";
import { cpus } from "node:os";
import {
  readSystem,
  SystemMonitor,
  type SystemReadings,
} from "../../../lib/p2p/metrics/system_monitor.ts";

const onLinux = process.platform === "linux";

function readings(step: number, changes: Partial<SystemReadings> = {}): SystemReadings {
  return {
    usage: { cpuUserSeconds: 5 + step, cpuSystemSeconds: 1 + step / 2, rssBytes: 70e6 },
    memory: { totalBytes: 100, availableBytes: 60, usedBytes: 40, virtualBytes: 1e9 },
    interfaces: new Map([["eth0", { sent: 1000 + 10 * step, received: 2000 + 20 * step }]]),
    counters: new Map([["Tcp.OutSegs", 500 + 50 * step], ["Tcp.RetransSegs", 7 + step]]),
    ...changes,
  };
}

test("SystemMonitor gives what changed in the last interval beside the totals", () => {
  let [atNs, next] = [7e9, readings(0)];
  const monitor = new SystemMonitor(() => next, () => atNs);
  try {
    const first = monitor.figures();
    assert.equal(first.processCpuPercent, 0);
    assert.equal(first.tcpRetransmitPercent, 0);
    assert.deepEqual(first.networkBytesCurrent, { sent: 0, received: 0 });
    assert.deepEqual(first.networkBytes, { sent: 1000, received: 2000 });
    atNs += 2e9;
    next = readings(1);
    monitor.takeReading();
    const { cpuCount, ...figures } = monitor.figures();
    assert.equal(cpuCount, cpus().length);
    assert.deepEqual(figures, {
      processCpuPercent: 75,
      processMemoryBytes: 70e6,
      processVirtualMemoryBytes: 1e9,
      totalMemoryBytes: 100,
      availableMemoryBytes: 60,
      usedMemoryBytes: 40,
      networkBytes: { sent: 1010, received: 2020 },
      networkBytesCurrent: { sent: 10, received: 20 },
      tcpSegmentsOut: 550,
      tcpSegmentsRetransmitted: 8,
      tcpRetransmitPercent: 2,
    });
    atNs += 1e9;
    next = readings(1, { counters: new Map() });
    monitor.takeReading();
    assert.equal(monitor.figures().processCpuPercent, 0);
    assert.ok(Number.isNaN(monitor.figures().tcpSegmentsOut));
    assert.ok(Number.isNaN(monitor.figures().tcpRetransmitPercent));
  } finally {
    monitor.stop();
  }
});

test("SystemMonitor reads once a second until it is stopped", async () => {
  let reads = 0;
  const monitor = new SystemMonitor(() => readings(reads++));
  const deadlineMs = performance.now() + 10_000;
  while (reads < 2 && performance.now() < deadlineMs) await Bun.sleep(20);
  monitor.stop();
  assert.ok(reads >= 2, `${reads} readings`);
});

test.if(onLinux)("readSystem() sees this process work", async () => {
  const monitor = new SystemMonitor(readSystem);
  try {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket, bytes) => void socket.write(bytes) },
    });
    const before = monitor.figures();
    let answered = 0;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port,
      socket: { data: () => void answered++ },
    });
    const endMs = performance.now() + 300;
    while (performance.now() < endMs) {
      socket.write("x");
      await Bun.sleep(0);
    }
    monitor.takeReading();
    socket.end();
    server.stop(true);
    const after = monitor.figures();
    assert.ok(after.processCpuPercent > 1, `${after.processCpuPercent} %`);
    assert.ok(after.processCpuPercent < 100 * cpus().length + 50, `${after.processCpuPercent} %`);
    assert.ok(after.tcpSegmentsOut >= before.tcpSegmentsOut + answered, `${answered} answers`);
    assert.ok(answered > 0);
    assert.ok(after.tcpRetransmitPercent >= 0);
    assert.ok(after.processVirtualMemoryBytes > after.processMemoryBytes);
    for (const [name, value] of Object.entries(after)) {
      if (typeof value === "number") assert.ok(Number.isFinite(value), name);
    }
  } finally {
    monitor.stop();
  }
});
