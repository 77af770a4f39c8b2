import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";
import { measureLoad, reportLoad } from "./rig/load.ts";

const goals = { answeredPerSecond: 150_000 };

// The open loop asks for a little more than the goal, which a Poisson plan may fall short of.
const cases = [
  { name: "open loop, 155,000/s over 100 sockets", args: ["-c", "100", "-r", "155k"] },
  { name: "closed loop, 100 sockets × 4", args: ["-c", "100", "--inflight", "4"] },
];

export const udp: BenchmarkEntry = {
  summary: "datagrams echoed a second",
  run: async (benchmark: Benchmark) => {
    for (const { name, args } of cases) {
      benchmark.report.heading(`udp: ${name}`);
      await using server = await HoldfastServer.start(benchmark, ["udp://127.0.0.1:0"]);
      const time = ["--warmup", "2s", "-t", "10s", "--timeout", "1s"];
      const result = await measureLoad(benchmark, server, [...args, ...time]);
      reportLoad(benchmark, `udp, ${name}`, result, goals);
    }
  },
};
