import { FailureTally } from "../stats/failure_tally.ts";
import type { ServerCounts } from "../stats/snapshot.ts";

/** What one endpoint counts. Always: accepted = open + closed + failed. */
export class EndpointCounters {
  open = 0;
  accepted = 0;
  closed = 0;
  failed = 0;
  messages = 0;
  bytesReceived = 0;
  bytesSent = 0;
  dropped = 0;
  readonly refused: Record<string, number> = {};
  readonly failures = new FailureTally();

  refuse(reason: string): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
  }

  /** A copy that later events do not change. */
  counts(): ServerCounts {
    return {
      open: this.open,
      accepted: this.accepted,
      closed: this.closed,
      failed: this.failed,
      refused: { ...this.refused },
      messages: this.messages,
      bytesReceived: this.bytesReceived,
      bytesSent: this.bytesSent,
      dropped: this.dropped,
      failures: this.failures.counts(),
    };
  }
}
