import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  isExternalInterface,
  parseInterfaceBytes,
  readInterfaceBytes,
  TrafficMeter,
} from "../../lib/host/interface_bytes.ts";
import { brokenTexts, isCount } from "./broken_text.ts";

const onLinux = process.platform === "linux";

const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 168226728552 472983189    0 18079    0     0          0         0 168226728553 472983189    0    0    0     0       0          0
  ifb0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:1463497570   93080    0    0    0     0          0         0  9280718   76818    0    0    0     0       0          0
br-5.7@x:     12       1    0    0    0     0          0         0       34       2    0    0    0     0       0          0
`;

test("parseInterfaceBytes() reads what each interface sent and received", () => {
  assert.deepEqual(Object.fromEntries(parseInterfaceBytes(dev)), {
    lo: { sent: 168226728553, received: 168226728552 },
    ifb0: { sent: 0, received: 0 },
    eth0: { sent: 9280718, received: 1463497570 },
    "br-5.7@x": { sent: 34, received: 12 },
  });
  assert.equal(parseInterfaceBytes("").size, 0);
});

test("parseInterfaceBytes() takes broken text without error or nonsense", () => {
  for (const text of brokenTexts(dev)) {
    for (const [name, { sent, received }] of parseInterfaceBytes(text)) {
      assert.ok(name.length > 0 && isCount(sent) && isCount(received), text);
    }
  }
});

test("isExternalInterface() leaves out loopback and the ifb devices", () => {
  const names = ["lo", "ifb0", "ifb12", "ifb", "eth0", "lo0x", "wlan0", "ifbridge", "veth1"];
  assert.deepEqual(names.filter(isExternalInterface), [
    "eth0",
    "lo0x",
    "wlan0",
    "ifbridge",
    "veth1",
  ]);
});

test("TrafficMeter adds up what external interfaces carried", () => {
  const meter = new TrafficMeter();
  const reading = (entries: Record<string, [sent: number, received: number]>) =>
    new Map(Object.entries(entries).map(([name, [sent, received]]) => [name, { sent, received }]));
  meter.take(reading({ lo: [1000, 1000], ifb0: [50, 50], eth0: [10, 20], eth1: [1, 2] }));
  assert.deepEqual(meter.total, { sent: 11, received: 22 });
  assert.deepEqual(meter.current, { sent: 0, received: 0 });
  meter.take(reading({ lo: [9000, 9000], ifb0: [90, 90], eth0: [15, 27], eth1: [1, 2] }));
  assert.deepEqual(meter.total, { sent: 16, received: 29 });
  assert.deepEqual(meter.current, { sent: 5, received: 7 });
  // eth1 goes, eth2 comes, and the counters of eth0 begin anew: the sum never falls.
  meter.take(reading({ eth0: [3, 4], eth2: [100, 200] }));
  assert.deepEqual(meter.current, { sent: 103, received: 204 });
  assert.deepEqual(meter.total, { sent: 119, received: 233 });
});

test.if(onLinux)("readInterfaceBytes() sees what goes over loopback", async () => {
  const before = readInterfaceBytes().get("lo")!;
  const receiver = await Bun.udpSocket({ hostname: "127.0.0.1" });
  const sender = await Bun.udpSocket({ hostname: "127.0.0.1" });
  try {
    const payload = new Uint8Array(10_000);
    for (let i = 0; i < 10; i++) sender.send(payload, receiver.port, "127.0.0.1");
    const after = readInterfaceBytes().get("lo")!;
    assert.ok(after.sent - before.sent >= 100_000, `${before.sent} ${after.sent}`);
    assert.ok(after.received - before.received >= 100_000);
  } finally {
    sender.close();
    receiver.close();
  }
});
