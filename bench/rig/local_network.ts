import { readFileSync } from "node:fs";
import type { NetworkSnapshotJson } from "../../lib/p2p/local/network_json.ts";
import { totalDropped } from "../../lib/p2p/snapshot.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { asTyped, executable } from "./executable.ts";
import type { P2pCase, P2pResult } from "./p2p_case.ts";

/** Beyond the broadcasting: to start the nodes, and for the last messages. */
const extraMs = 90_000;

/**
 * Until the library of the nodes is compiled: it is several times slower in its first seconds, of which
 * 20 nodes on 2 cores have few.
 */
export const warmupSeconds = 12;

/**
 * Lets `holdfast p2p local` do what a case asks for.
 *
 * @throws {Error} it left no report.
 */
export async function measureLocal(
  benchmark: Benchmark,
  plan: P2pCase,
  seconds: number,
): Promise<P2pResult> {
  const jsonFile = benchmark.newFile("json");
  const command = [
    ...[executable, "p2p", "local", "--num-nodes", `${plan.nodes}`],
    ...["--network-protocol", plan.protocol],
    ...(plan.oneBroadcasts === true ? ["--mode", "one", "--broadcaster", "0"] : ["--mode", "all"]),
    ...["--message-size-bytes", `${plan.messageBytes}`],
    ...["--heartbeat-millis", `${1000 / plan.messagesPerSecond}`],
    ...["--warmup", `${warmupSeconds}s`, "--duration", `${seconds}s`],
    ...["--stats", "off", "--quiet"],
  ];
  benchmark.report.command(asTyped(command));
  const results = ["--json", jsonFile, "--run-folder", benchmark.newFile("run")];
  await using child = new Child([...command, ...results], {
    timeoutMs: (warmupSeconds + seconds) * 1000 + extraMs,
  });
  const { exitCode, isTimedOut } = await child.ended;
  let text: string;
  try {
    text = readFileSync(jsonFile, "utf8");
  } catch {
    const ending = isTimedOut ? "it took too long" : `exit code ${exitCode}`;
    throw new Error(`the network left no report (${ending}):\n${child.lastWords}`);
  }
  return resultOf(JSON.parse(text) as NetworkSnapshotJson);
}

function resultOf(snapshot: NetworkSnapshotJson): P2pResult {
  const { broadcast, deliveries, histograms, nodes, verdict } = snapshot;
  const { encoded } = histograms.delivery;
  if (encoded === undefined) throw new Error("the report has no histogram of delays");
  const broadcasters = nodes.filter(({ due }) => due > 0);
  return {
    due: broadcast.due,
    sent: broadcast.sent,
    dropped: totalDropped(broadcast),
    expected: deliveries.expected,
    delivered: deliveries.delivered,
    duplicated: deliveries.duplicated,
    seconds: snapshot.runningMs / 1000,
    delivery: Histogram.decode(encoded),
    latenessP99Ns: Math.max(...broadcasters.map(({ latenessP99Ns }) => latenessP99Ns ?? NaN)),
    cores: nodes.reduce((sum, { cpuShare }) => sum + (cpuShare ?? NaN), 0),
    remarks: verdict === undefined || verdict.kind === "ok"
      ? []
      : [`${verdict.kind}: ${verdict.reasons.join("; ")}`],
  };
}
