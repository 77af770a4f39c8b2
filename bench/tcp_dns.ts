import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";
import { measureLoad, reportLoad } from "./rig/load.ts";

const goals = { sentShare: 0.999, nothingLost: true };

const cases = [
  { name: "1,000,000/s over 5 connections", args: ["-c", "5", "-r", "1M"] },
  { name: "300,000/s over 2,000 connections", args: ["-c", "2000", "-r", "300k"] },
  // Without an option the header of each answer is checked, with --verify the question too.
  { name: "300,000/s over 2,000, --verify", args: ["-c", "2000", "-r", "300k", "--verify"] },
];

export const tcpDns: BenchmarkEntry = {
  summary: "31-byte DNS queries over TCP, open loop",
  run: async (benchmark: Benchmark) => {
    for (const { name, args } of cases) {
      benchmark.report.heading(`tcp_dns: ${name}`);
      await using server = await HoldfastServer.start(benchmark, ["tcp://127.0.0.1:0"]);
      const load = [...args, "--codec", "dns", "--connect-rate", "2000"];
      const time = ["--warmup", "2s", "-t", "10s"];
      const result = await measureLoad(benchmark, server, [...load, ...time]);
      reportLoad(benchmark, `tcp_dns, ${name}`, result, goals);
    }
  },
};
