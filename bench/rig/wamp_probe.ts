import { readFileSync } from "node:fs";
import type { ProbeSnapshotJson } from "../../lib/wamp/probe/snapshot_json.ts";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { asTyped, executable } from "./executable.ts";

/**
 * Runs a probe of 128 bytes, without reports, to its end.
 *
 * @param load its options of the load.
 */
export async function runProbe(
  benchmark: Benchmark,
  url: string,
  load: readonly string[],
  seconds: number,
  timeoutMs: number,
): Promise<ProbeSnapshotJson> {
  const file = benchmark.newFile("json");
  const command = [
    ...[executable, "wamp", "probe", "--url", url, ...load, "--size", "128"],
    ...["--duration", `${seconds}s`, "--silent", "--stats", "off", "--json"],
  ];
  benchmark.report.command(asTyped([...command, "probe.json"]));
  await using probe = new Child([...command, file], { timeoutMs });
  await probe.ended;
  const snapshot = JSON.parse(readFileSync(file, "utf8")) as ProbeSnapshotJson;
  benchmark.removeFile(file);
  return snapshot;
}
