/** What a worker is started for. `details` is plain data that the role's own code understands. */
export interface Job {
  readonly role: "client" | "server" | "p2p-node" | "wamp-probe";
  readonly details: unknown;
}

/** What the parent says to a worker. Instants are those of the clock that all processes share. */
export type ToWorker =
  | { readonly type: "job"; readonly job: Job }
  /** The run starts then. */
  | { readonly type: "start"; readonly atNs: number }
  /** Every worker's connections are open: the plan begins then, may have an end, and a warm-up. */
  | {
    readonly type: "begin";
    readonly atNs: number;
    readonly untilNs?: number;
    readonly measuredFromNs?: number;
  }
  /** Something that only the role's own code understands; plain data. */
  | { readonly type: "tell"; readonly details: unknown }
  /** Ends the run in order. */
  | { readonly type: "finish" }
  /** The user interrupts. */
  | { readonly type: "stop" };

/** What a worker says; `Report` is plain data, typed arrays and figures such as NaN included. */
export type FromWorker<Report> =
  /** Everything is prepared. */
  | { readonly type: "ready"; readonly report: Report }
  /** It cannot begin, or go on; nothing follows. */
  | { readonly type: "failed"; readonly error: WorkerError }
  /** Every connection is open or has failed. */
  | { readonly type: "settled" }
  /** What was done until now; at least once a second while it runs. */
  | { readonly type: "report"; readonly report: Report }
  /** A line for the user. */
  | { readonly type: "note"; readonly line: string }
  /** What was to be done is over; many connections are still to be closed, which can take a while. */
  | { readonly type: "closing" }
  /** The job is done; nothing follows. */
  | { readonly type: "done"; readonly report: Report };

/** An error on its way between processes. */
export interface WorkerError {
  readonly message: string;
  /** What the executable ends with for it. */
  readonly exitCode: number;
}
