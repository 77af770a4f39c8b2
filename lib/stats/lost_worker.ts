import { FailureTally } from "./failure_tally.ts";
import type { ClientSnapshot, MessageCounts, ServerCounts, WorkerEnd } from "./snapshot.ts";

/**
 * What is left of a client's worker that ended in the middle of a run: its last snapshot, in which
 * open connections are lost now, those that were opening have failed, messages in flight are lost
 * with their connections, and those still to be sent never were.
 */
export function afterWorkerEnd<S extends Omit<ClientSnapshot, "histograms">>(
  last: S,
  end: Omit<WorkerEnd, "connections" | "messages">,
): { snapshot: S; end: WorkerEnd } {
  const { connections } = last;
  const opening = connections.attempted - connections.opened - connections.failed;
  const ended = connections.open + Math.max(0, opening);
  const failures = new FailureTally();
  failures.add(connections.failures);
  if (ended > 0) {
    failures.add([{
      kind: "host-worker",
      count: ended,
      firstAtMs: end.atMs,
      firstDetail: `the worker with pid ${end.pid} ended: ${end.reason}`,
    }]);
  }
  const snapshot: S = {
    ...last,
    phase: "done",
    connections: {
      ...connections,
      open: 0,
      lost: connections.lost + connections.open,
      failed: connections.failed + Math.max(0, opening),
      failures: failures.counts(),
    },
    messages: withoutWaiting(last.messages),
    steady: withoutWaiting(last.steady),
    ...(last.servers === undefined
      ? {}
      : { servers: Object.fromEntries(Object.keys(last.servers).map((server) => [server, 0])) }),
    ...(last.overdue === undefined
      ? {}
      : { overdue: last.overdue.map(({ afterMs }) => ({ afterMs, count: 0 })) }),
  };
  const full: WorkerEnd = {
    ...end,
    connections: connections.open,
    messages: last.messages.inFlight,
  };
  return { snapshot, end: full };
}

function withoutWaiting(counts: MessageCounts): MessageCounts {
  return {
    ...counts,
    inFlight: 0,
    queued: 0,
    lost: { ...counts.lost, closed: counts.lost.closed + counts.inFlight },
    unsent: { ...counts.unsent, generatorLate: counts.unsent.generatorLate + counts.queued },
  };
}

/** The counts of a server's worker that ended: what was open on it has failed. */
export function countsAfterWorkerEnd(last: ServerCounts, end: { atMs: number; detail: string }) {
  const failures = new FailureTally();
  failures.add(last.failures);
  if (last.open > 0) {
    failures.add([{
      kind: "host-worker",
      count: last.open,
      firstAtMs: end.atMs,
      firstDetail: end.detail,
    }]);
  }
  const counts: ServerCounts = {
    ...last,
    open: 0,
    failed: last.failed + last.open,
    failures: failures.counts(),
  };
  return counts;
}
