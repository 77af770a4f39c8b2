import { formatDuration, formatRate, formatShare } from "../lib/stats/figures.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { atMost, median } from "./rig/goal.ts";
import { HoldfastClient } from "./rig/holdfast_client.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";

const rounds = 7;
const fetchEveryMs = 100;
const limit = 0.1;

interface Round {
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly fetchesPerSecond: number;
  readonly verdict: string;
}

export const statsCost: BenchmarkEntry = {
  summary: "what fetching /stats of both sides 10 times a second does to the p99",
  run: async (benchmark: Benchmark) => {
    const { report } = benchmark;
    report.heading(
      `stats_cost: without and with 10 fetches a second, in turn, ${rounds} times each`,
    );
    const stats = ["--stats", "127.0.0.1:0"];
    await using server = await HoldfastServer.start(benchmark, ["tcp://127.0.0.1:0", ...stats]);
    const without: Round[] = [];
    const fetched: Round[] = [];
    for (let i = 0; i < rounds; i++) {
      without.push(await measure(benchmark, server, false));
      fetched.push(await measure(benchmark, server, true));
    }
    report.table([
      ["round", "p50 without", "p50 fetched", "p99 without", "p99 fetched", "fetches", "verdicts"],
      ...without.map((a, i) => {
        const b = fetched[i]!;
        return [
          `${i + 1}`,
          formatDuration(a.p50Ns),
          formatDuration(b.p50Ns),
          formatDuration(a.p99Ns),
          formatDuration(b.p99Ns),
          formatRate(b.fetchesPerSecond),
          `${a.verdict}, ${b.verdict}`,
        ];
      }),
    ]);
    const [before, after] = [without, fetched].map((list) =>
      median(list.map((each) => each.p99Ns))
    );
    const spread = without.map(({ p99Ns }) => p99Ns);
    const change = after! / before! - 1;
    report.figures("stats_cost", [
      { label: "p99 without (median)", measured: formatDuration(before!) },
      {
        label: "p99 without, lowest to highest",
        measured: `${formatDuration(Math.min(...spread))} to ${
          formatDuration(Math.max(...spread))
        }`,
      },
      { label: "p99 fetched (median)", measured: formatDuration(after!) },
      {
        label: "change of the p99",
        measured: `${change < 0 ? "" : "+"}${formatShare(change)}`,
        goal: atMost(Math.abs(change), limit, formatShare),
      },
    ]);
  },
};

async function measure(
  benchmark: Benchmark,
  server: HoldfastServer,
  isFetched: boolean,
): Promise<Round> {
  const args = ["-c", "100", "-r", "20k", "--warmup", "1s", "-t", "5s", "--stats", "127.0.0.1:0"];
  await using client = HoldfastClient.start(benchmark, {
    args: [server.target, ...args],
    timeoutMs: 60_000,
  });
  const urls = [server.statsUrl, await client.statsUrl].map((url) => `${url}stats`);
  let fetches = 0;
  let pending = Promise.resolve();
  const startMs = performance.now();
  const timer = isFetched
    ? setInterval(() => {
      pending = pending.then(async () => {
        for (const url of urls) await (await fetch(url)).text();
        fetches++;
      }).catch(() => {}); // The client has ended.
    }, fetchEveryMs)
    : undefined;
  try {
    const { histograms: { response }, verdict } = await client.result();
    const seconds = (performance.now() - startMs) / 1000;
    return {
      p50Ns: response.percentileNs(50),
      p99Ns: response.percentileNs(99),
      fetchesPerSecond: fetches / seconds,
      verdict: verdict?.kind ?? "none",
    };
  } finally {
    clearInterval(timer);
    await pending;
  }
}
