import type { FromWorker, ToWorker } from "./messages.ts";

/** A worker's way to its parent; `lib/cli/` makes one of the process's own. */
export interface WorkerChannel<Report> {
  send(message: FromWorker<Report>): void;
  /** Set by whoever does the job; what came before is delivered then. */
  receive(handler: (message: ToWorker) => void): void;
}

/** What a role's worker code is: does the job to its end, and throws where it cannot. */
export type Work<Report> = (details: unknown, channel: WorkerChannel<Report>) => Promise<void>;
