import { test } from "bun:test";
import assert from "node:assert/strict";
import { parseOrphans, readNetworkGauges } from "../../lib/host/network_gauges.ts";

test("parseOrphans() reads the line of TCP", () => {
  const text = "sockets: used 14\nTCP: inuse 5 orphan 3 tw 120 alloc 9 mem 4\nUDP: inuse 1 mem 0\n";
  assert.deepEqual(parseOrphans(text), { orphans: 3, timeWait: 120 });
  assert.deepEqual(parseOrphans(""), { orphans: NaN, timeWait: NaN });
  assert.deepEqual(parseOrphans("TCP: inuse x orphan y"), { orphans: NaN, timeWait: NaN });
});

test.if(process.platform === "linux")("readNetworkGauges() reads this host", () => {
  const gauges = readNetworkGauges();
  assert.ok(gauges.tcpOrphans >= 0 && gauges.tcpOrphans <= gauges.tcpMaxOrphans);
  assert.ok(gauges.tcpMemoryBytes >= 0 && gauges.tcpPressureBytes < gauges.tcpMaxBytes);
  assert.ok(gauges.tcpTimeWait >= 0);
});
