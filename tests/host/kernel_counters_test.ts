import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  difference,
  parseConntrackCounters,
  parseListCounters,
  parseSoftnetCounters,
  parseTableCounters,
  readKernelCounters,
  telltaleCounters,
  telltales,
} from "../../lib/host/kernel_counters.ts";
import { setListenBacklog, setReceiveBuffer } from "../../lib/host/libc.ts";

const onLinux = process.platform === "linux";

const netstat = `TcpExt: SyncookiesSent ListenOverflows ListenDrops
TcpExt: 1 22 333
IpExt: InOctets OutOctets
IpExt: 7608246309 18446744073709551615
`;

const snmp = `Tcp: RtoAlgorithm RtoMin RtoMax MaxConn RetransSegs
Tcp: 1 200 120000 -1 3130
Udp: InDatagrams NoPorts
Udp: 5 6
`;

function tables(text: string): Map<string, number> {
  const counters = new Map<string, number>();
  parseTableCounters(text, counters);
  return counters;
}

test("parseTableCounters() names each value by its group and column", () => {
  assert.deepEqual(Object.fromEntries(tables(netstat + snmp)), {
    "TcpExt.SyncookiesSent": 1,
    "TcpExt.ListenOverflows": 22,
    "TcpExt.ListenDrops": 333,
    "IpExt.InOctets": 7608246309,
    "IpExt.OutOctets": 2 ** 64,
    "Tcp.RtoAlgorithm": 1,
    "Tcp.RtoMin": 200,
    "Tcp.RtoMax": 120000,
    "Tcp.MaxConn": -1,
    "Tcp.RetransSegs": 3130,
    "Udp.InDatagrams": 5,
    "Udp.NoPorts": 6,
  });
});

test("parseListCounters() splits the protocol from the name", () => {
  const counters = new Map<string, number>();
  const lines = "Ip6InReceives   \t12\nUdp6RcvbufErrors \t34\nUdpLite6NoPorts 5\nbad\nUdp6X -1\n";
  parseListCounters(lines, counters);
  assert.deepEqual(Object.fromEntries(counters), {
    "Ip6.InReceives": 12,
    "Udp6.RcvbufErrors": 34,
    "UdpLite6.NoPorts": 5,
  });
});

test("parseSoftnetCounters() and parseConntrackCounters() add the CPUs up", () => {
  const counters = new Map<string, number>();
  const softnet = "0709acb3 00000002 0000006d 00000000\n06d0538f 0000001e 00000001 00000000\nx\n";
  parseSoftnetCounters(softnet, counters);
  parseConntrackCounters(
    "entries  clashres found drop early_drop\n" +
      "00000064  00000000 00000001 0000000a 00000001\n" +
      "00000064  00000000 00000002 00000005 00000000\n00000064 0000\n",
    counters,
  );
  assert.deepEqual(Object.fromEntries(counters), {
    "Softnet.dropped": 32,
    "Softnet.time_squeeze": 0x6e,
    "Conntrack.clashres": 0,
    "Conntrack.found": 3,
    "Conntrack.drop": 15,
    "Conntrack.early_drop": 1,
  });
  const none = new Map<string, number>();
  parseConntrackCounters("", none);
  parseSoftnetCounters("noise", none);
  assert.equal(none.size, 0);
});

test("parseTableCounters() skips a pair that does not fit together", () => {
  const text = "Tcp: A B C\nTcp: 1 2\nUdp: X\nUdp: 9\nTcp: A\nUdp: 1\n\n: :\n: 5\nTcp:\nTcp:\n";
  assert.deepEqual(Object.fromEntries(tables(text)), { "Udp.X": 9 });
});

test("the parsers take truncated and random text without error or nonsense", () => {
  const whole = netstat + snmp;
  for (let end = 0; end < whole.length; end++) {
    const counters = new Map<string, number>();
    parseTableCounters(whole.slice(0, end), counters);
    parseListCounters(whole.slice(end), counters);
    for (const value of counters.values()) assert.ok(Number.isFinite(value));
  }
  let state = 1;
  const alphabet = "Tcp: 0123456789\nUdp6-\t\0\u00ff";
  for (let round = 0; round < 3000; round++) {
    let text = "";
    for (let i = 0; i < 60; i++) {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      text += alphabet[(state >>> 8) % alphabet.length];
    }
    const counters = tables(text);
    parseListCounters(text, counters);
    for (const [name, value] of counters) {
      assert.match(name, /^\w+\.\w+$/);
      assert.ok(Number.isFinite(value));
    }
  }
});

test("difference() leaves out what stayed the same, and counts new names from 0", () => {
  const before = new Map([["A.x", 5], ["A.y", 7], ["A.gone", 1]]);
  const after = new Map([["A.x", 5], ["A.y", 9], ["A.new", 3], ["A.zero", 0]]);
  assert.deepEqual(Object.fromEntries(difference(before, after)), { "A.y": 2, "A.new": 3 });
});

test("telltales() keeps what grew and has a meaning", () => {
  const grown = new Map([["Udp.RcvbufErrors", 3], ["Tcp.InSegs", 9], ["Tcp.RetransSegs", -1]]);
  assert.deepEqual(Object.fromEntries(telltales(grown)), { "Udp.RcvbufErrors": 3 });
});

test.if(onLinux)("readKernelCounters() knows most telltale counters of this kernel", () => {
  const counters = readKernelCounters();
  for (const name of ["TcpExt.ListenOverflows", "Tcp.RetransSegs", "Udp.RcvbufErrors"]) {
    assert.ok(counters.has(name), name);
    assert.ok(telltaleCounters.has(name), name);
  }
});

test.if(onLinux)("Udp.RcvbufErrors grows by the datagrams that a full socket drops", async () => {
  let received = 0;
  const receiver = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: () => void received++ },
  });
  const sender = await Bun.udpSocket({ hostname: "127.0.0.1" });
  try {
    setReceiveBuffer((receiver as unknown as { fd: number }).fd, 10_000);
    const before = readKernelCounters();
    const payload = new Uint8Array(200);
    let sent = 0;
    for (let i = 0; i < 500; i++) if (sender.send(payload, receiver.port, "127.0.0.1")) sent++;
    for (let quiet = 0, last = -1; quiet < 5; quiet = received === last ? quiet + 1 : 0) {
      last = received;
      await Bun.sleep(10);
    }
    const dropped = difference(before, readKernelCounters()).get("Udp.RcvbufErrors") ?? 0;
    assert.ok(received < sent, "some were dropped");
    // Other sockets of this host count too.
    assert.ok(dropped >= sent - received, `${sent} sent, ${received} received, ${dropped} dropped`);
  } finally {
    receiver.close();
    sender.close();
  }
});

test.if(onLinux)("TcpExt.ListenOverflows grows when an accept queue is full", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const sockets: Promise<Bun.Socket>[] = [];
  try {
    setListenBacklog((listener as unknown as { fd: number }).fd, 1);
    const before = readKernelCounters();
    // The kernel shakes hands at once; nothing is accepted before this function yields.
    for (let i = 0; i < 20; i++) {
      sockets.push(Bun.connect({
        hostname: "127.0.0.1",
        port: listener.port,
        socket: { data() {}, error() {}, connectError() {} },
      }));
    }
    const deadline = performance.now() + 300;
    while (performance.now() < deadline);
    const grown = difference(before, readKernelCounters());
    assert.ok((grown.get("TcpExt.ListenOverflows") ?? 0) > 0);
    assert.ok((grown.get("TcpExt.ListenDrops") ?? 0) > 0);
  } finally {
    listener.stop(true);
    for (const one of await Promise.allSettled(sockets)) {
      if (one.status === "fulfilled") one.value.terminate();
    }
  }
}, 30_000);
