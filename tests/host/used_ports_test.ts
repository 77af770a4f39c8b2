import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  canonicalAddress,
  countSockets,
  mostUsedPorts,
  parseSocketTable,
  portUse,
  UsedPorts,
} from "../../lib/host/used_ports.ts";

const onLinux = process.platform === "linux";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 113
   1: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 113
  12: 4D00007F:D431 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 113
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:0
   1: 0000000000000000FFFF00000200007F:1F92 00000000000000000000000000000000:0000 0A 00000000:0
   2: B80D0120000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 00000000:0
   3: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A 00000000:0
`;

test("parseSocketTable() reads both families, mapped addresses and wildcards", () => {
  const used = new UsedPorts();
  parseSocketTable(table, used);
  const expected: [string, number][] = [
    ["127.0.0.1", 0x1f90],
    ["9.9.9.9", 0x07e8],
    ["127.0.0.77", 0xd431],
    ["::1", 0x1f91],
    ["127.0.0.2", 0x1f92],
    ["2001:db8::1", 0x1f93],
    ["::1", 0x1f94],
    ["1.2.3.4", 0x1f94],
  ];
  for (const [address, port] of expected) assert.equal(used.useOf(address, port), portUse.taken);
  assert.equal(used.useOf("127.0.0.2", 0x1f90), portUse.free);
  assert.equal(used.useOf("127.0.0.1", 0x1f91), portUse.free);
});

test("parseSocketTable() leaves out what is of no interest", () => {
  const used = new UsedPorts();
  const addresses = new Set(["127.0.0.1", "127.0.0.77"]);
  parseSocketTable(table, used, { ends: { firstPort: 0x07e8, lastPort: 0x1f91, addresses } });
  assert.equal(used.useOf("127.0.0.1", 0x1f90), portUse.taken);
  assert.equal(used.useOf("9.9.9.9", 0x07e8), portUse.taken, "a wildcard is everywhere");
  assert.equal(used.useOf("127.0.0.77", 0xd431), portUse.free, "another port");
  assert.equal(used.useOf("::1", 0x1f91), portUse.free, "another address");
});

test("parseSocketTable() takes truncated and random text without error", () => {
  for (let end = 0; end < table.length; end++) {
    parseSocketTable(table.slice(0, end), new UsedPorts());
    parseSocketTable(table.slice(end), new UsedPorts());
  }
  const bytes = new Uint8Array(20_000);
  crypto.getRandomValues(bytes);
  parseSocketTable(Buffer.from(bytes).toString("latin1"), new UsedPorts());
});

test("canonicalAddress() gives one spelling, and none to what is no address", () => {
  const same: Record<string, string> = {
    "127.0.0.1": "127.0.0.1",
    "::1": "::1",
    "[::1]": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "2001:DB8:0:0::01": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "::ffff:10.1.2.3": "10.1.2.3",
    "::ffff:a01:203": "10.1.2.3",
  };
  for (const [text, canonical] of Object.entries(same)) {
    assert.equal(canonicalAddress(text), canonical);
  }
  for (const text of ["", "localhost", "1.2.3", "256.1.1.1", "::g", "1:2:3", "a.b", "[", "::1/x"]) {
    assert.equal(canonicalAddress(text), undefined, text);
  }
});

test("countSockets() is no less than the ports in use", () => {
  const sockstat = `sockets: used 63
TCP: inuse 6 orphan 0 tw 55271 alloc 15 mem 686
UDP: inuse 4 mem 0
UDPLITE: inuse 9
TCP6: inuse 8
UDP6: inuse 10
`;
  assert.equal(countSockets("tcp", sockstat), 15 + 55_271 + 8);
  assert.equal(countSockets("udp", sockstat), 14);
  assert.equal(countSockets("tcp", ""), Infinity);
  if (!onLinux) return;
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  assert.ok(mostUsedPorts("tcp") >= 1 && listener.port > 0);
});
