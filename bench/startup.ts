import { formatDuration } from "../lib/stats/figures.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { asTyped, executable } from "./rig/executable.ts";
import { atMost, median } from "./rig/goal.ts";

const runs = 20;
const limitMs = 40;
const runTimeoutMs = 10_000;

export const startup: BenchmarkEntry = {
  summary: "time from the start of the process to its end",
  run: (benchmark: Benchmark) => {
    const { report } = benchmark;
    report.heading(`startup: --help, ${runs} times, beside a program that does nothing`);
    const commands = [[executable, "--help"], [executable, "client", "--help"], ["/bin/true"]];
    const times = commands.map(() => [] as number[]);
    // Round 0 brings the files into memory.
    for (let round = 0; round <= runs; round++) {
      for (const [i, command] of commands.entries()) {
        const ms = elapsedMs(command);
        if (round > 0) times[i]!.push(ms);
      }
    }
    const format = (ms: number) => formatDuration(ms * 1e6);
    for (const command of commands) report.command(asTyped(command));
    report.table([
      ["", "min", "median", "max"],
      ...commands.map((command, i) => [
        asTyped(command).join(" "),
        ...[Math.min(...times[i]!), median(times[i]!), Math.max(...times[i]!)].map(format),
      ]),
    ]);
    const medianMs = median(times[0]!);
    report.figures("startup", [{
      label: "--help (median)",
      measured: format(medianMs),
      goal: atMost(medianMs, limitMs, format),
    }]);
    return Promise.resolve();
  },
};

function elapsedMs(command: readonly string[]): number {
  const startMs = performance.now();
  const { exitCode } = Bun.spawnSync([...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: runTimeoutMs,
  });
  const ms = performance.now() - startMs;
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with exit code ${exitCode}`);
  return ms;
}
