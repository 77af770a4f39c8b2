import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { findFreePorts } from "./rig/free_ports.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";
import { measureLoad, reportLoad } from "./rig/load.ts";

/** A packet costs time for every session of its endpoint: about 25 of them share one. */
const sessionsPerPort = 25;

const load = ["--connect-rate", "200", "--interval", "1s", "--size", "1024", "--insecure"];
const timeoutMs = 240_000;

const cases = [
  {
    name: "10,000 connections × 1,024 bytes a second",
    connections: 10_000,
    args: ["-t", "30s"],
    goals: { openConnections: 10_000, nothingLost: true, responseP99Ns: 100e6 },
  },
  {
    name: "4,096 connections with a UDP socket each",
    connections: 4_096,
    args: ["--connections-per-socket", "1", "-t", "20s"],
    goals: { openConnections: 4_096, nothingLost: true },
  },
];

export const quic: BenchmarkEntry = {
  summary: "10,000 connections, and 4,096 with a socket each",
  isLong: true,
  run: async (benchmark: Benchmark) => {
    for (const { name, connections, args, goals } of cases) {
      benchmark.report.heading(`quic: ${name}, opened at 200/s`);
      const ports = Math.ceil(connections / sessionsPerPort);
      const first = findFreePorts(ports, 20_000);
      const listenOn = `quic://127.0.0.1:${first}-${first + ports - 1}`;
      await using server = await HoldfastServer.start(benchmark, [listenOn]);
      const result = await measureLoad(
        benchmark,
        server,
        ["-c", `${connections}`, ...load, ...args],
        timeoutMs,
      );
      reportLoad(benchmark, `quic, ${name}`, result, goals);
    }
  },
};
