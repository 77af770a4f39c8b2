/** Is told of every message as it is sent and answered; times are those of the monotonic clock. */
export interface MessageTrace {
  /** @param gapNs planned time since the message before; NaN where nothing is planned. */
  sent(connection: number, sequence: number, gapNs: number, sentNs: number): void;
  answered(connection: number, sequence: number, answeredNs: number, serviceNs: number): void;
}
