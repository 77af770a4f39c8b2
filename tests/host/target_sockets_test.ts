import { test } from "bun:test";
import assert from "node:assert/strict";
import { tcpPath } from "../../lib/host/libc.ts";
import {
  parseTargetSockets,
  readTargetSockets,
  samplePaths,
} from "../../lib/host/target_sockets.ts";
import { until } from "../server/running_server.ts";

const onLinux = process.platform === "linux";
const ports = { first: 0x1092, last: 0x1092 };

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1092 00000000:0000 0A 00000000:00000011 00:00000000 00000000     0        0 17 1 0 100 0 0 10 0
   1: 0100007F:1092 0100007F:9C40 01 00000000:00000200 00:00000000 00000000     0        0 18 1 0 20 4 31 10 -1
   2: 0100007F:9C40 0100007F:1092 01 00000040:00000000 01:00000000 00000000     0        0 19 2 0 20 4 31 10 -1
   3: 0100007F:9C41 0100007F:1092 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   4: 0100007F:1093 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 20 1 0 100 0 0 10 0
`;
const udp =
  `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  10: 00000000:1092 00000000:0000 07 00000000:00034200 00:00000000 00000000     0        0 21 2 0 77
  11: 0100007F:C000 0100007F:1092 01 00000000:00000000 00:00000000 00000000     0        0 22 2 0 3
  12: 0100007F:C001 0100007F:2000 01 00000000:00000000 00:00000000 00000000     0        0 23 2 0 900
`;

test("parseTargetSockets() tells the target's own sockets from those towards it", () => {
  assert.deepEqual(parseTargetSockets(tcp, "tcp", ports), {
    towardsTarget: 2,
    acceptQueue: 17,
    unreadByTarget: 512,
    droppedByTarget: 0,
    droppedByOwn: 0,
  });
  assert.deepEqual(parseTargetSockets(udp, "udp", ports), {
    towardsTarget: 1,
    acceptQueue: undefined,
    unreadByTarget: 0x34200,
    droppedByTarget: 77,
    droppedByOwn: 3,
  });
  // A server of QUIC has a range of ports.
  const range = { first: 0x1092, last: 0x2000 };
  assert.equal(parseTargetSockets(udp, "udp", range).droppedByOwn, 903);
});

test("parseTargetSockets() takes any text", () => {
  for (let end = 0; end < tcp.length; end += 7) {
    const found = parseTargetSockets(tcp.slice(0, end), "tcp", ports);
    for (const value of Object.values(found)) assert.ok(value === undefined || value >= 0);
  }
  assert.equal(parseTargetSockets("noise\n\0", "udp", ports).towardsTarget, 0);
});

/** Connections of before, to another listener with the same port, are sockets for a minute yet. */
function listenWhereNobodyWas(
  open: (socket: Bun.Socket<undefined>) => void,
): Bun.TCPSocketListener<undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = { open, data() {} };
    const listener = Bun.listen<undefined>({ hostname: "127.0.0.1", port: 0, socket });
    const target = { first: listener.port, last: listener.port };
    if (readTargetSockets("tcp", target).towardsTarget === 0) return listener;
    listener.stop(true);
  }
  assert.fail("sockets towards every port that is free");
}

test.if(onLinux)("readTargetSockets() and samplePaths() see real connections", async () => {
  const accepted: Bun.Socket<undefined>[] = [];
  const listener = listenWhereNobodyWas((socket) => void accepted.push(socket));
  const target = { first: listener.port, last: listener.port };
  const sockets = await Promise.all(Array.from({ length: 5 }, () =>
    Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port: listener.port,
      socket: { data() {} },
    })));
  try {
    await until("all are accepted", () => accepted.length === 5);
    for (const socket of accepted) socket.pause();
    for (const socket of sockets) socket.write("x".repeat(1000));
    await until("the bytes wait", () => readTargetSockets("tcp", target).unreadByTarget >= 5000);
    const { towardsTarget, acceptQueue } = readTargetSockets("tcp", target);
    assert.deepEqual([towardsTarget, acceptQueue], [5, 0]);
    const sample = samplePaths(target, 1000);
    assert.equal(sample?.connections, 5);
    assert.ok(sample.medianRoundTripMs > 0 && sample.medianRoundTripMs < 500);
    assert.ok(sample.unacknowledgedShare >= 0 && sample.unacknowledgedShare <= 1);
    const nobody = { first: 1, last: 1 };
    assert.equal(samplePaths(nobody, 1000), undefined);
  } finally {
    for (const socket of sockets) socket.terminate();
    listener.stop(true);
  }
});

test("tcpPath() knows nothing of what is no TCP connection", async () => {
  assert.equal(tcpPath(-1), undefined);
  assert.equal(tcpPath(0), undefined);
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  for (let fd = 3; fd < 40; fd++) {
    const path = tcpPath(fd);
    assert.ok(path === undefined || path.peerPort > 0);
  }
  socket.close();
});
