import { Histogram } from "../../lib/stats/histogram.ts";

/** What dnsperf has printed about a run. */
export interface DnsperfResult {
  readonly sent: number;
  readonly completed: number;
  readonly queriesPerSecond: number;
  readonly meanNs: number;
  readonly minNs: number;
  readonly maxNs: number;
  /** From its `-v` lines, in whole microseconds as it prints them; empty without them. */
  readonly latency: Histogram;
}

/**
 * Reads the output of dnsperf 2: the statistics at its end, and a line for each answer with `-v`.
 *
 * @throws {Error} it has no statistics.
 */
export function parseDnsperf(text: string): DnsperfResult {
  const figure = (name: string) => {
    const match = new RegExp(`^ +${name}: +([0-9.]+)`, "m").exec(text);
    if (match === null) throw new Error(`dnsperf printed no "${name}":\n${text.slice(-2000)}`);
    return Number(match[1]);
  };
  // The connections of TCP and TLS have statistics of the same names, further down.
  const range = /^ +Average Latency \(s\): +([0-9.]+) \(min ([0-9.]+), max ([0-9.]+)\)/m.exec(text);
  const [meanNs = NaN, minNs = NaN, maxNs = NaN] = (range ?? []).slice(1)
    .map((seconds) => Number(seconds) * 1e9);
  const latency = new Histogram();
  for (const [, seconds] of text.matchAll(/^> [A-Z]\w* \S+ \S+ ([0-9.]+)$/gm)) {
    latency.record(Number(seconds) * 1e9);
  }
  return {
    sent: figure("Queries sent"),
    completed: figure("Queries completed"),
    queriesPerSecond: figure("Queries per second"),
    meanNs,
    minNs,
    maxNs,
    latency,
  };
}
