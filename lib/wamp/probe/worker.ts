import { sharedClockOffsetNs } from "../../host/shared_clock.ts";
import type { WorkerChannel } from "../../workers/worker_channel.ts";
import { packProbeHistograms } from "./histograms.ts";
import { LocalProbe } from "./local_probe.ts";
import type { AllPublished, ProbeJob, ProbeReport } from "./probe_job.ts";

/**
 * Carries out one process's part of a probe.
 *
 * @throws {HoldfastError} it cannot begin.
 */
export async function work(details: unknown, channel: WorkerChannel<ProbeReport>): Promise<void> {
  const { plan, run, debug } = details as ProbeJob;
  const note = (line: string) => channel.send({ type: "note", line });
  const probe: LocalProbe = await LocalProbe.create(plan, run, {
    settled() {
      channel.send({ type: "report", report: { snapshot: probe.snapshotOf() } });
      channel.send({ type: "settled" });
    },
    published: (published) =>
      channel.send({ type: "report", report: { snapshot: probe.snapshotOf(), published } }),
    second: (interval, { histograms: _, ...snapshot }) =>
      channel.send({
        type: "report",
        report: { snapshot, interval: packProbeHistograms(interval) },
      }),
    ...(debug
      ? {
        sessionBack: (id, _atNs, node) => note(`session ${id} joined on ${node}`),
        sessionLost: (id, _atNs, node, failure) =>
          note(`session ${id} on ${node} ended: ${failure?.detail ?? "asked for"}`),
      }
      : {}),
  });

  const offsetNs = sharedClockOffsetNs();
  const interruption = new AbortController();
  const start = Promise.withResolvers<number>();
  channel.receive((message) => {
    switch (message.type) {
      case "start":
        return start.resolve(message.atNs - offsetNs);
      case "begin":
        return probe.begin(message.atNs - offsetNs);
      case "tell":
        return probe.awaitEvents((message.details as AllPublished).totals);
      case "finish":
        return probe.finish();
      case "stop":
        return interruption.abort();
    }
  });
  channel.send({ type: "ready", report: { snapshot: probe.snapshotOf() } });
  await probe.run(interruption.signal, await start.promise);
  channel.send({
    type: "done",
    report: { snapshot: probe.snapshotOf(), receipts: probe.receipts },
  });
}
