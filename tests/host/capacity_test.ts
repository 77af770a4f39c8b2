import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  boundNames,
  bytesPerConnection,
  type CapacityQuestion,
  predictCapacity,
} from "../../lib/host/capacity.ts";
import type { HostReadings } from "../../lib/host/host_readings.ts";
import { clientQuestion, silentHost, wideHost } from "./sample_readings.ts";

function capacity(changes: Partial<HostReadings>, question: Partial<CapacityQuestion> = {}) {
  return predictCapacity({ ...wideHost, ...changes }, { ...clientQuestion, ...question });
}

const server = { role: "server" } as const;

test("predictCapacity() names the limit that comes first", () => {
  const { descriptors, sources, conntrack, processes } = wideHost;
  const group = { used: 0, path: "/x" };
  for (
    const [name, changes, connections] of [
      ["nofile", { descriptors: { ...descriptors, reachable: 20_000 } }, 19_900],
      ["file-max", { descriptors: { ...descriptors, fileMax: 3000 } }, 1900],
      ["epoll watches", { descriptors: { ...descriptors, maxUserWatches: 5000 } }, 5000],
      ["source ports", { sources: { ...sources!, free: 28_232 } }, 28_232],
      ["conntrack", { conntrack: { ...conntrack!, count: 262_000, isTracking: true } }, 144],
      ["memory", { hostMemoryBytes: 30e6 + 6.1e6 }, 1000],
      [
        "cgroup memory",
        {
          controlGroup: {
            memory: { ...group, limit: 30e6 + 6.1e6, free: 30e6 + 6.1e6 },
            pids: undefined,
          },
        },
        1000,
      ],
      ["processes", { processes: { ...processes, userLimit: 106 } }, 0],
      [
        "cgroup pids",
        { controlGroup: { memory: undefined, pids: { ...group, limit: 6, free: 6 } } },
        0,
      ],
    ] as const
  ) {
    const predicted = capacity(changes);
    assert.deepEqual(predicted.first, { name, connections });
    assert.equal(predicted.connections, connections);
    assert.deepEqual(predicted.bounds.map((bound) => bound.name), boundNames);
  }
});

test("predictCapacity() gives every process its own descriptors", () => {
  const descriptors = { ...wideHost.descriptors, hard: 20_000, reachable: 20_000 };
  assert.equal(capacity({ descriptors }, { workers: 4 }).connections, 4 * 19_900);
  assert.equal(capacity({ descriptors }, { ...server, workers: 4 }).connections, 4 * 19_888);
  // The client raises its own limit where it may; a server has the hard one.
  const root = { ...descriptors, reachable: 100_000 };
  assert.equal(capacity({ descriptors: root }).connections, 99_900);
  assert.equal(capacity({ descriptors: root }, server).connections, 19_888);
  // A worker that cannot be started holds nothing.
  const processes = { ...wideHost.processes, userLimit: 100 + 3 * 8 };
  assert.equal(capacity({ descriptors, processes }, { workers: 4 }).connections, 3 * 19_900);
});

test("predictCapacity() knows which connections share sockets", () => {
  const descriptors = { ...wideHost.descriptors, hard: 300, reachable: 300 };
  assert.equal(capacity({ descriptors }, { kind: "quic" }).connections, 200 * 32);
  assert.equal(
    capacity({ descriptors }, { kind: "quic", connectionsPerSocket: 1 }).connections,
    200,
  );
  const { bounds } = capacity({ descriptors }, { ...server, kind: "udp" });
  assert.equal(bounds.find(({ name }) => name === "nofile")?.connections, Infinity);
  const sources = { ...wideHost.sources!, free: 100 };
  assert.equal(capacity({ sources }, { kind: "quic" }).connections, 3200);
  assert.notEqual(capacity({ sources }, server).first?.name, "source ports");
});

test("predictCapacity() counts both ends where both are here", () => {
  const here = { ...clientQuestion, isTargetLocal: true };
  const there = bytesPerConnection(clientQuestion);
  assert.equal(
    bytesPerConnection(here),
    there + bytesPerConnection({ ...clientQuestion, ...server }),
  );
  const descriptors = { ...wideHost.descriptors, fileMax: 3000 };
  assert.equal(capacity({ descriptors }, here).connections, 950);
  const exempt = { ...descriptors, isExemptFromFileMax: true };
  assert.notEqual(capacity({ descriptors: exempt }, here).first?.name, "file-max");
});

test("predictCapacity() never gives less than none, or a part of a connection", () => {
  for (const question of [clientQuestion, { ...clientQuestion, ...server }]) {
    for (const hard of [0, 1, 99, 101, 333]) {
      const descriptors = { ...wideHost.descriptors, hard, reachable: hard };
      const { connections } = predictCapacity(
        { ...wideHost, descriptors, hostMemoryBytes: 1000 },
        question,
      );
      assert.equal(connections, 0);
    }
  }
  assert.ok(Number.isInteger(capacity({ hostMemoryBytes: 1.2345e9 }).connections));
});

test("predictCapacity() says that it does not know where the system tells nothing", () => {
  for (const kind of ["tcp", "udp", "quic"] as const) {
    for (const role of ["client", "server"] as const) {
      const { connections, first } = predictCapacity(silentHost, { ...clientQuestion, kind, role });
      assert.deepEqual([connections, first], [Infinity, undefined]);
    }
  }
});
