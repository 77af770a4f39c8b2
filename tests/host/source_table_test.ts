import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  shareOfSources,
  SourceTable,
  type SourceTableSettings,
} from "../../lib/host/source_table.ts";

/** Documentation addresses (RFC 5737, RFC 3849), which no socket here has. */
const settings: SourceTableSettings = {
  addresses: ["192.0.2.1", "2001:db8::1", "192.0.2.2"],
  firstPort: 61_000,
  lastPort: 61_009,
  protocol: "tcp",
  target: { addresses: ["127.0.0.1"], port: 9 },
};

function pairsOf(table: SourceTable, isIPv6: boolean): string[] {
  const pairs: string[] = [];
  while (table.next(isIPv6) >= 0) pairs.push(`${table.address} ${table.port}`);
  return pairs;
}

test("SourceTable keeps the families apart", () => {
  const table = new SourceTable(settings);
  assert.ok(table.hasFamily(false) && table.hasFamily(true));
  assert.deepEqual([table.free(false), table.free(true)], [20, 10]);
  const six = table.next(true);
  assert.deepEqual([table.address, table.port], ["2001:db8::1", 61_000]);
  const four = table.next(false);
  assert.deepEqual([table.address, table.port], ["192.0.2.1", 61_000]);
  assert.notEqual(six, four);
  assert.deepEqual([table.free(false), table.free(true)], [19, 9]);
  table.release(six);
  assert.deepEqual([table.free(false), table.free(true)], [19, 10]);
  assert.equal(pairsOf(table, true).at(-1), "2001:db8::1 61000");
  assert.equal(pairsOf(table, false).length, 19);
  table.release(four);
  assert.deepEqual(pairsOf(table, false), ["192.0.2.1 61000"]);
});

test("SourceTable of one family has nothing for the other", () => {
  const table = new SourceTable({ ...settings, addresses: ["192.0.2.1"] });
  assert.ok(!table.hasFamily(true));
  assert.equal(table.next(true), -1);
  assert.equal(table.free(true), 0);
});

test("shareOfSources() divides a table, and its parts again, without rest or overlap", () => {
  const whole = new SourceTable(settings);
  for (const isIPv6 of [false, true]) {
    const all: string[] = [];
    for (const index of [0, 1, 2]) {
      const share = shareOfSources(settings, index, 3);
      assert.deepEqual(JSON.parse(JSON.stringify(share)), share, "can be sent to a worker");
      for (const part of [0, 1]) {
        const table = new SourceTable(shareOfSources(share, part, 2));
        const size = table.free(isIPv6);
        assert.ok(Math.abs(size - (isIPv6 ? 10 : 20) / 6) < 1, `${size} pairs`);
        all.push(...pairsOf(table, isIPv6));
      }
    }
    assert.deepEqual(all.sort(), pairsOf(whole, isIPv6).sort());
  }
  assert.deepEqual(shareOfSources(settings, 0, 1).share, { index: 0, count: 1 });
});

test("SourceTable does not read the host's sockets again where the plan found none", () => {
  using listener = Bun.listen({ hostname: "127.0.0.44", port: 0, socket: { data() {} } });
  const one: SourceTableSettings = {
    ...settings,
    addresses: ["127.0.0.44"],
    firstPort: listener.port,
    lastPort: listener.port,
  };
  if (process.platform === "linux") {
    const read = new SourceTable(one);
    assert.deepEqual([read.isUnused, read.free(false)], [false, 0]);
  }
  const told = new SourceTable({ ...one, isUnused: true });
  assert.deepEqual([told.isUnused, told.free(false)], [true, 1]);
});
