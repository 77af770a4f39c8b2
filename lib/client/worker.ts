import { sharedClockOffsetNs } from "../host/shared_clock.ts";
import { connectionsOf } from "../load/share.ts";
import { emptyHistograms, packHistograms } from "../stats/client_histograms.ts";
import type { ClientHistograms, ClientSnapshot } from "../stats/snapshot.ts";
import { parseEndpoint } from "../transport/endpoint.ts";
import type { WorkerChannel } from "../workers/worker_channel.ts";
import type { ClientJob, ClientReport } from "./client_job.ts";
import { requireDescriptors } from "./descriptors.ts";
import { dialSettings } from "./dialing.ts";
import { loadSettings } from "./load_plan.ts";
import { LocalMeasurement } from "./local_measurement.ts";

/**
 * Generates a worker's share of a client's load.
 *
 * @throws {HoldfastError} it cannot begin.
 */
export async function work(
  details: unknown,
  channel: WorkerChannel<ClientReport>,
): Promise<void> {
  const job = details as ClientJob;
  const { share } = job;
  const endpoint = parseEndpoint(job.endpoint);
  const settings = { ...job.settings, connections: connectionsOf(share) };
  requireDescriptors(endpoint.scheme, settings);
  const measurement = await LocalMeasurement.create({
    endpoint,
    settings,
    plan: { ...loadSettings(settings, job.scheduleText), share },
    dialing: dialSettings(settings, job.sources),
    run: job.run,
    second(interval, _startNs, endNs, snapshot) {
      channel.send({ type: "report", report: reportOf(snapshot, interval, endNs) });
      if (snapshot.phase === "done") channel.send({ type: "closing" });
    },
    settled: () => channel.send({ type: "settled" }),
  });

  const offsetNs = sharedClockOffsetNs();
  const interruption = new AbortController();
  const start = Promise.withResolvers<number>();
  channel.receive((message) => {
    switch (message.type) {
      case "start":
        return start.resolve(message.atNs - offsetNs);
      case "begin":
        return measurement.begin(message.atNs - offsetNs);
      case "finish":
        return measurement.finish();
      case "stop":
        return interruption.abort();
    }
  });
  const first = reportOf(measurement.snapshot(), emptyHistograms(), 0);
  channel.send({ type: "ready", report: first });
  await measurement.run(interruption.signal, await start.promise);
  // The last second was reported: what comes now is what was known then.
  const last = reportOf(measurement.snapshot(), emptyHistograms(), NaN);
  channel.send({ type: "done", report: last });
}

function reportOf(
  { histograms: _, ...snapshot }: ClientSnapshot,
  interval: ClientHistograms,
  endNs: number,
): ClientReport {
  return { snapshot, interval: packHistograms(interval), endNs };
}
