import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";
import { measureLoad, reportLoad } from "./rig/load.ts";

const goals = { sentShare: 0.999, clientCores: 0.6, scheduleErrorP99Ns: 1e6 };

export const pacing: BenchmarkEntry = {
  summary: "how exactly messages leave when they are due, and what that costs",
  run: async (benchmark: Benchmark) => {
    for (const [name, rate] of [["50,000/s", "50k"], ["1,000/s", "1k"]] as const) {
      benchmark.report.heading(`pacing: ${name} over 1,000 TCP connections`);
      await using server = await HoldfastServer.start(benchmark, ["tcp://127.0.0.1:0"]);
      const args = ["-c", "1000", "-r", rate, "--warmup", "2s", "-t", "10s"];
      const result = await measureLoad(benchmark, server, args);
      reportLoad(benchmark, `pacing, ${name}`, result, goals);
    }
  },
};
