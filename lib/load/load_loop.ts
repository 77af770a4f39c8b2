/** What decides when messages are sent: the plan of an open loop, the answers of a closed one. */
export interface LoadLoop {
  /** The run starts, connections begin to open. */
  start(atNs: number): void;
  /** The plan begins: every connection is open or has failed, or the ramp is measured too. */
  begin(atNs: number): void;
  /** Queues what is due. Returns whether more is due than fits into one step. */
  sendDue(atNs: number): boolean;
  /** When `sendDue` has something to do again (clock time); Infinity where answers tell. */
  nextDueNs(atNs: number): number;
  /** Nothing is left to send; asked once the steady phase is over. */
  isDone(atNs: number): boolean;
  /** A connection has opened after `begin`. */
  opened(id: number): void;
  /** A message of this connection was answered or lost. */
  messageEnded(id: number): void;
  /** Counts what was due and is not going to be sent. */
  countUnsent(): void;
}

/** Connections are opened and held, nothing is sent. */
export const holding: LoadLoop = {
  start: () => {},
  begin: () => {},
  sendDue: () => false,
  nextDueNs: () => Infinity,
  isDone: () => true,
  opened: () => {},
  messageEnded: () => {},
  countUnsent: () => {},
};
