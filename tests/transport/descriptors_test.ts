import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Failure } from "../../lib/stats/failure.ts";
import { fdCeiling, isOutOfFds } from "../../lib/transport/descriptors.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import { tcp } from "../../lib/transport/tcp.ts";
import { udp } from "../../lib/transport/udp.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  until,
} from "./recorder.ts";

interface Report {
  port?: number;
  refusals?: number;
  first?: Failure;
  open?: number;
  opened?: number;
  kinds?: Record<string, number>;
  violations?: string[];
}

/** fd_limit_peer.ts in a process that may have so many descriptors, no more. */
function spawnLimited(fds: number, args: string[]) {
  const reports: Report[] = [];
  const script = `${import.meta.dirname}/fd_limit_peer.ts`;
  const peer = Bun.spawn(
    ["sh", "-c", `ulimit -n ${fds}; exec "$0" "$@"`, process.execPath, script, ...args],
    { ipc: (report) => reports.push(report), serialization: "json", stderr: "inherit" },
  );
  return { peer, reports };
}

function endpointOf(scheme: "tcp" | "udp", port: number): Endpoint {
  return { scheme, host: "127.0.0.1", port, lastPort: port, path: "/" };
}

const isUnix = process.platform !== "win32";

test.skipIf(!isUnix)(
  "a listener at the fd limit refuses new ones and serves the others",
  async () => {
    const { peer, reports } = spawnLimited(300, ["listen"]);
    try {
      await until(() => reports.length === 1, "the port");
      const count = 400;
      const client = new Recorder("dialer");
      const dialer = await tcp.dial(
        endpointOf("tcp", reports[0]!.port!),
        client,
        dialSettings(count),
      );
      for (let id = 0; id < count; id++) dialer.connect(id);
      await until(
        () => client.openIds.length + client.total("closes") === count,
        () => `${client.openIds.length} open, ${client.total("closes")} closed`,
      );
      await Bun.sleep(200); // those refused may have been open for a moment
      const open = client.openIds;
      assert.ok(open.length > 100 && open.length < 300, `${open.length} are open`);
      const message = pattern(1000);
      for (const id of open) dialer.send(id, message, 0, message.length, message.length);
      await until(() => open.every((id) => client.of(id).bytes === message.length), "every echo");
      peer.send("report");
      await until(() => reports.length === 2, "the report");
      const { refusals, first, open: served } = reports[1]!;
      assert.equal(refusals, count - open.length);
      assert.equal(first?.kind, "host-fds");
      assert.match(first!.detail, /fd-limit/);
      assert.equal(served, open.length);
      // With room again, it accepts again.
      for (const id of open.slice(0, 20)) dialer.close(id);
      await until(() => open.slice(0, 20).every((id) => !client.of(id).isOpen), "room");
      const again = open[0]!;
      dialer.connect(again);
      await until(() => client.of(again).isOpen, "open again");
      const bytes = client.of(again).bytes;
      dialer.send(again, message, 0, 1, 1);
      await until(() => client.of(again).bytes > bytes, "echo again");
      await dialer.shutdown();
    } finally {
      peer.kill("SIGKILL");
      await peer.exited;
    }
  },
);

for (const transport of [tcp, udp]) {
  test.skipIf(!isUnix)(`${transport.scheme}.dial() at the fd limit says host-fds`, async () => {
    const server = new EchoRecorder();
    const { scheme } = transport;
    const endpoint = endpointOf(scheme as "tcp" | "udp", 0);
    const listener = await transport.listen(endpoint, server, listenSettings([]));
    server.connections = listener;
    const { peer, reports } = spawnLimited(100, ["dial", scheme, `${listener.endpoint.port}`]);
    await until(() => reports.length === 1, "the report");
    const { opened = 0, kinds = {}, violations } = reports[0]!;
    assert.ok(opened > 20 && opened < 100, `${opened} opened`);
    assert.deepEqual(kinds, { "host-fds": 200 - opened });
    assert.deepEqual(violations, []);
    await peer.exited;
    await listener.shutdown();
  });
}

test("isOutOfFds() is false while descriptors are left", () => {
  assert.equal(isOutOfFds(), false);
});

test("fdCeiling() leaves a reserve", () => {
  assert.ok(fdCeiling() > 0);
});
