import { test } from "bun:test";
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect as dialNode } from "node:net";
import {
  fdLimits,
  findEpollFd,
  hasLibc,
  openFds,
  setFdLimits,
  setListenBacklog,
  setReceiveBuffer,
  setSendBuffer,
  setTimerSlack,
  waitForEvents,
} from "../../lib/host/libc.ts";

const onLinux = process.platform === "linux";

/** The accept queue's length as the kernel has it: Send-Q of a listening socket in ss(8). */
function backlogOf(port: number): number {
  const ss = Bun.which("ss");
  if (ss === null) return -1;
  const text = Bun.spawnSync([ss, "-Hltn", `sport = :${port}`]).stdout.toString();
  return Number(text.trim().split(/\s+/)[2]);
}

test.if(onLinux)("setListenBacklog() changes the accept queue of a Bun listener", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    const fd = (listener as unknown as { fd: number }).fd;
    const somaxconn = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
    const wanted = Math.min(2048, somaxconn - 1);
    assert.equal(setListenBacklog(fd, wanted), true);
    const found = backlogOf(listener.port);
    if (found >= 0) assert.equal(found, wanted);
    assert.equal(setListenBacklog(fd, 2 ** 40), true);
    if (found >= 0) assert.equal(backlogOf(listener.port), somaxconn);
    await new Promise<void>((resolve, reject) => {
      const socket = dialNode(listener.port, "127.0.0.1", () => {
        socket.destroy();
        resolve();
      });
      socket.on("error", reject);
    });
  } finally {
    listener.stop(true);
  }
});

test.if(onLinux)("setListenBacklog() returns false for what is not a listening socket", () => {
  assert.equal(setListenBacklog(987_654, 10), false);
});

test.if(onLinux)("setReceiveBuffer() lets a UDP socket hold more datagrams unread", async () => {
  /** How many of 3,000 datagrams are there after a time in which the receiver could not read. */
  async function received(bytes: number): Promise<{ granted: number; count: number }> {
    let count = 0;
    const receiver = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: () => void count++ },
    });
    const sender = await Bun.udpSocket({ hostname: "127.0.0.1" });
    try {
      const fd = (receiver as unknown as { fd: number }).fd;
      const granted = setReceiveBuffer(fd, bytes);
      const payload = new Uint8Array(100);
      for (let i = 0; i < 3000; i++) sender.send(payload, receiver.port, "127.0.0.1");
      let before = -1;
      for (let i = 0; i < 100 && before !== count; i++) {
        before = count;
        await Bun.sleep(20);
      }
      return { granted, count };
    } finally {
      receiver.close();
      sender.close();
    }
  }
  const small = await received(16_384);
  const large = await received(8_000_000);
  assert.equal(small.granted, 32_768);
  assert.ok(small.count < 3000, `${small.count} datagrams in 32 KiB`);
  assert.ok(large.granted > small.granted);
  assert.ok(large.count > small.count, `${large.count} against ${small.count}`);
});

test.if(onLinux)(
  "setSendBuffer() bounds what a socket takes when the peer does not read",
  async () => {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.pause(), data() {} },
    });
    try {
      const taken = async (bytes: number): Promise<number> => {
        const socket = await Bun.connect({
          hostname: "127.0.0.1",
          port: listener.port,
          socket: { data() {} },
        });
        const granted = setSendBuffer((socket as unknown as { fd: number }).fd, bytes);
        assert.ok(granted >= bytes, `granted ${granted}`);
        const accepted = socket.write(new Uint8Array(4 << 20));
        socket.terminate();
        return accepted;
      };
      const small = await taken(8_192);
      const large = await taken(150_000);
      assert.ok(small < large, `${small} against ${large} bytes`);
    } finally {
      listener.stop(true);
    }
  },
);

test.if(onLinux)(
  "setReceiveBuffer() and setSendBuffer() return -1 for what is not a socket",
  () => {
    assert.equal(setReceiveBuffer(987_654, 10_000), -1);
    assert.equal(setSendBuffer(987_654, 10_000), -1);
  },
);

test.if(onLinux)("setTimerSlack() sets the slack of this thread", () => {
  assert.equal(setTimerSlack(1), true);
  assert.equal(Number(readFileSync("/proc/self/timerslack_ns", "utf8")), 1);
});

test.if(onLinux)("waitForEvents() waits for the time asked when nothing happens", () => {
  for (const ns of [100_000, 3_000_000, 1_050_000_000]) {
    const start = Bun.nanoseconds();
    const result = waitForEvents(-1, ns) /* ppoll(2) ignores -1 */;
    const tookNs = Bun.nanoseconds() - start;
    if (result === 0) assert.ok(tookNs >= ns, `${tookNs} of ${ns} ns`);
    assert.ok(tookNs < ns + 1_000_000_000, `${tookNs} of ${ns} ns`);
  }
});

test.if(onLinux)("waitForEvents() returns at once for no time, and for a time in the past", () => {
  const start = Bun.nanoseconds();
  for (let i = 0; i < 1000; i++) {
    waitForEvents(-1, 0);
    waitForEvents(-1, -5_000_000);
  }
  assert.ok(Bun.nanoseconds() - start < 1_000_000_000);
});

test.if(onLinux)(
  "waitForEvents() on findEpollFd() ends when a socket becomes readable",
  async () => {
    let opened = () => {};
    const accepted = new Promise<void>((resolve) => opened = resolve);
    let bytesIn = 0;
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          socket.write("go");
          opened();
        },
        data(_, bytes) {
          bytesIn += bytes.length;
        },
      },
    });
    // Another process answers: this one's loop stands still while it waits.
    const peer = Bun.spawn({
      cmd: [
        process.execPath,
        "-e",
        `setTimeout(() => process.exit(), 20000);
       await Bun.connect({ hostname: "127.0.0.1", port: ${listener.port},
         socket: { data(socket) { setTimeout(() => socket.write("answer"), 100); } } });`,
      ],
      stdout: "ignore",
      stderr: "ignore",
    });
    try {
      await accepted;
      const epollFd = findEpollFd();
      const start = performance.now();
      let woken = 0;
      while (bytesIn === 0 && performance.now() - start < 9_000) {
        if (waitForEvents(epollFd, 10e9) === 1) woken++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(bytesIn, 6);
      assert.ok(woken > 0);
      assert.ok(performance.now() - start < 9_000, "ended by the event, not by the time");
    } finally {
      peer.kill();
      listener.stop(true);
      await peer.exited;
    }
  },
  30_000,
);

test.if(onLinux)("findEpollFd() finds the one of this thread among several", async () => {
  assert.equal(hasLibc(), true);
  const worker = new Worker(
    URL.createObjectURL(new Blob(["setInterval(() => {}, 1000); postMessage(1)"])),
  );
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    await new Promise((resolve) => worker.onmessage = resolve);
    const epollFds = readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes("eventpoll");
      } catch {
        return false;
      }
    });
    assert.ok(epollFds.length > 1, `${epollFds}`);
    const watched = `^tfd:\\s+${(listener as unknown as { fd: number }).fd}\\s`;
    const info = readFileSync(`/proc/self/fdinfo/${findEpollFd()}`, "utf8");
    assert.match(info, new RegExp(watched, "m"));
  } finally {
    listener.stop(true);
    worker.terminate();
  }
});

test.if(onLinux)("fdLimits() and setFdLimits() agree with /proc/self/limits", () => {
  const before = fdLimits();
  try {
    assert.equal(setFdLimits({ soft: 1000, hard: before.hard }), true);
    assert.deepEqual(fdLimits(), { soft: 1000, hard: before.hard });
    const line = /^Max open files.*$/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[0] ?? "";
    assert.equal(Number(line.trim().split(/\s+/)[3]), 1000);
  } finally {
    assert.equal(setFdLimits(before), true);
  }
  assert.equal(setFdLimits({ soft: 10, hard: 5 }), false);
});

test.if(onLinux)("openFds() counts sockets as they come and go", () => {
  const before = openFds();
  const listeners = Array.from(
    { length: 20 },
    () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const during = openFds();
  for (const listener of listeners) listener.stop(true);
  assert.ok(during >= before + 20, `${before} → ${during}`);
});

test("without a C library every function says so, and none throws", () => {
  const path = new URL("../../lib/host/libc.ts", import.meta.url).pathname;
  const child = Bun.spawnSync([
    process.execPath,
    "-e",
    `Object.defineProperty(process, "platform", { value: "plan9" });
     const libc = await import("${path}");
     const { soft, hard } = libc.fdLimits();
     console.log(JSON.stringify([
       libc.hasLibc(), libc.setListenBacklog(1, 1), libc.setReceiveBuffer(1, 1),
       libc.setSendBuffer(1, 1), libc.setTimerSlack(1), libc.waitForEvents(0, 5e9),
       libc.findEpollFd(), libc.dieWithParent(), libc.setFdLimits({ soft, hard }), soft > 0 && hard >= soft,
     ]));`,
  ]);
  const results = [false, false, -1, -1, false, -1, -1, false, false, true];
  assert.deepEqual(JSON.parse(child.stdout.toString()), results, child.stderr.toString());
});
