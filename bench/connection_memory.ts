import { connectionCosts, type ConnectionKind } from "../lib/host/connection_costs.ts";
import { formatBytes, formatCount } from "../lib/stats/figures.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { findFreePorts } from "./rig/free_ports.ts";
import { measureIdleMemory } from "./rig/idle_memory.ts";

interface Case {
  readonly kind: ConnectionKind;
  readonly few: number;
  readonly many: number;
  readonly args: readonly string[];
}

const fast = ["--connect-rate", "3000"];
const secure = ["--insecure", "--connect-rate", "1000", "--connect-timeout", "20s"];

const cases: readonly Case[] = [
  { kind: "tcp", few: 1000, many: 15_000, args: fast },
  { kind: "ws", few: 1000, many: 15_000, args: fast },
  { kind: "udp", few: 1000, many: 15_000, args: fast },
  { kind: "tls", few: 500, many: 5000, args: secure },
  { kind: "wss", few: 500, many: 5000, args: secure },
  { kind: "quic", few: 320, many: 1920, args: ["--insecure", "--connect-rate", "300"] },
];

const quicPorts = 32;

/** What `lib/host/connection_costs.ts` says, which `holdfast doctor` predicts from, measured again. */
export const connectionMemory: BenchmarkEntry = {
  summary: "memory of an idle connection of each transport, beside what the doctor reckons with",
  isLong: true,
  run: async (benchmark: Benchmark) => {
    const { report } = benchmark;
    report.heading("connection_memory: bytes of an idle connection, over loopback");
    const rows: string[][] = [];
    for (const { kind, few, many, args } of cases) {
      const first = findFreePorts(quicPorts, 20_000);
      const endpoint = kind === "quic"
        ? `quic://127.0.0.1:${first}-${first + quicPorts - 1}`
        : `${kind}://127.0.0.1:0`;
      const less = await measureIdleMemory(benchmark, endpoint, few, args);
      const more = await measureIdleMemory(benchmark, endpoint, many, args);
      const each = (bytes: (memory: typeof less) => number) =>
        formatBytes((bytes(more) - bytes(less)) / (more.open - less.open));
      const { client, server, kernelClient, kernelServer } = connectionCosts[kind];
      rows.push([
        kind,
        `${formatCount(less.open)} and ${formatCount(more.open)}`,
        each((memory) => memory.client.rssBytes),
        formatBytes(client),
        each((memory) => memory.server.rssBytes),
        formatBytes(server),
        each((memory) => memory.kernelBytes),
        formatBytes(kernelClient + kernelServer),
      ]);
    }
    report.table([
      ["", "open", "client", "reckoned", "server", "reckoned", "kernel, both", "reckoned"],
      ...rows,
    ]);
  },
};
