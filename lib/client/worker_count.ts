import { availableParallelism } from "node:os";
import { UsageError } from "../errors.ts";
import type { Load, LoadSettings } from "../load/load_settings.ts";
import { mostWorkers } from "../options/workers.ts";
import type { Scheme } from "../transport/endpoint.ts";
import { processesForDescriptors } from "./descriptors.ts";
import type { ClientSettings } from "./options.ts";

/**
 * Messages per second for which one process is enough: about half of what one sent and matched on
 * loopback over 2,000 connections, the server on the other of two cores, so that its own lateness
 * stays small (tcp 300,000, tls 257,000, udp 195,000, ws 200,000, wss 134,000). Over QUIC sessions
 * cost more than messages do: 10,000 sessions with one a second each are what one kept up with.
 * `deno task bench` measures them.
 */
const messagesPerProcess: Readonly<Record<Scheme, number>> = {
  tcp: 150_000,
  tls: 120_000,
  udp: 100_000,
  ws: 100_000,
  wss: 65_000,
  quic: 10_000,
};

/**
 * How many processes generate the load: what `--workers` says. `auto` is as many as the descriptor
 * limit of a process makes necessary for the connections, or the rate of messages (but for a rate no
 * more than there are cores, which would only take turns); a closed loop names no rate, and has one.
 *
 * @throws {UsageError} more workers than connections, or a log of messages, which is of one process.
 */
export function workerCount(scheme: Scheme, settings: ClientSettings, plan: LoadSettings): number {
  const { workers = 1, connections, csvFile } = settings;
  if (workers === "auto") {
    if (csvFile !== undefined) return 1;
    const forDescriptors = processesForDescriptors(scheme, settings);
    const forRate = Math.ceil(
      peakRatePerSecond(plan.load, connections) / messagesPerProcess[scheme],
    );
    // Where so many would not do, the error of one says what there is.
    const least = forDescriptors <= mostWorkers ? forDescriptors : 1;
    return Math.min(connections, Math.max(least, Math.min(forRate, availableParallelism())));
  }
  if (workers > connections) {
    throw new UsageError(
      `--workers ${workers} is more than --connections ${connections}; ` +
        `a worker needs a connection at least`,
    );
  }
  if (workers > 1 && csvFile !== undefined) {
    throw new UsageError(
      `--csv writes the messages of one process, and --workers ${workers} asks for several; ` +
        `drop one`,
    );
  }
  return workers;
}

function peakRatePerSecond(load: Load, connections: number): number {
  switch (load.kind) {
    case "poisson":
    case "uniform":
      return load.schedule.peakRatePerSecond;
    case "interval":
      return connections * 1000 / load.intervalMs;
    default:
      return 0;
  }
}
