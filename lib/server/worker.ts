import { sharedClockOffsetNs } from "../host/shared_clock.ts";
import { parseEndpoint } from "../transport/endpoint.ts";
import type { WorkerChannel } from "../workers/worker_channel.ts";
import { LocalServing } from "./local_serving.ts";
import type { ServerJob, ServerReport } from "./server_job.ts";

const reportEveryMs = 1000;

/**
 * Serves a worker's share of a server's endpoints.
 *
 * @throws {HoldfastError} one of them cannot be bound.
 */
export async function work(
  details: unknown,
  channel: WorkerChannel<ServerReport>,
): Promise<void> {
  const job = details as ServerJob;
  const serving = await LocalServing.start({
    endpoints: job.endpoints.map(parseEndpoint),
    settings: job.settings,
    certificate: job.certificate,
    run: job.run,
    serverId: job.serverId,
    startNs: job.startNs - sharedClockOffsetNs(),
    note: (line) => channel.send({ type: "note", line }),
  });
  const stopped = Promise.withResolvers<void>();
  channel.receive(({ type }) => {
    if (type === "stop" || type === "finish") stopped.resolve();
  });
  channel.send({ type: "ready", report: serving.snapshot() });
  const reports = setInterval(
    () => channel.send({ type: "report", report: serving.snapshot() }),
    reportEveryMs,
  );
  await stopped.promise;
  channel.send({ type: "closing" });
  await serving.stop();
  clearInterval(reports);
  channel.send({ type: "done", report: serving.snapshot() });
}
