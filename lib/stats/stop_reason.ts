import { adviceFor } from "./failure_advice.ts";
import { formatCount } from "./figures.ts";
import { totalLost } from "./metrics.ts";
import type { ClientSnapshot, FailureCount } from "./snapshot.ts";

/** Why a run came to nothing. */
export interface StopReason {
  /** One sentence: what happened, how often, the first native error, what to do. */
  readonly reason: string;
  /** It is this host that refused, not the target. */
  readonly isOfHost: boolean;
}

/**
 * Says why no connection is left at the end of a run that was not interrupted; undefined where one
 * is, or where none was attempted.
 */
export function withoutConnections(snapshot: ClientSnapshot): StopReason | undefined {
  const { attempted, opened, open, failed, lost, recycled, failures } = snapshot.connections;
  if (snapshot.interrupted || attempted === 0 || open > 0) return undefined;
  // The end came while the last ones were being opened again.
  if (recycled !== undefined && failed + lost === 0) return undefined;
  const happened = opened === 0
    ? "No connection could be opened"
    : opened === attempted
    ? "Every connection ended before the run did"
    : snapshot.outages !== undefined
    ? `No connection is open at the end: ${formatCount(failed)} attempts failed, and ` +
      `${formatCount(lost)} connections ended`
    : `No connection is left: ${formatCount(attempted - opened)} could not be opened` +
      (lost > 0 ? `, and ${formatCount(lost)} ended before the run did` : "");
  const [most] = failures;
  if (most === undefined) return { reason: `${happened}.`, isOfHost: false };
  return {
    reason: `${happened}: ${failures.map(counted).join(", ")}; ` +
      `${adviceFor(most.kind, most.firstDetail)}.`,
    isOfHost: most.kind.startsWith("host-"),
  };
}

/** A certificate can have more names than anybody wants to read. */
const mostOfDetail = 200;

function counted({ kind, count, firstDetail }: FailureCount): string {
  const detail = firstDetail.length <= mostOfDetail
    ? firstDetail
    : `${firstDetail.slice(0, mostOfDetail)}…`;
  return `${formatCount(count)} ${kind} (${detail})`;
}

/**
 * Says that the target answered no message, or took none; undefined where that is not so, and of a
 * run that was interrupted, which may not have waited long enough.
 */
export function withoutAnswers(snapshot: ClientSnapshot): string | undefined {
  const { messages, anomalies, interrupted } = snapshot;
  if (interrupted || messages.answered > 0) return undefined;
  if (messages.sent === 0) {
    return messages.unsent.heldBack === 0
      ? undefined
      : `No message could be sent: ${formatCount(messages.due)} were due, and the target took ` +
        `none of them; check that it reads what it is sent.`;
  }
  const wrong = anomalies.corrupted + anomalies.unknown;
  const came = wrong > 0
    ? `${formatCount(wrong)} times something else came than was sent`
    : anomalies.late > 0
    ? `${formatCount(anomalies.late)} answers came too late; raise --timeout`
    : "nothing came back";
  return `No message was answered: ${formatCount(messages.sent)} were sent, ` +
    `${formatCount(totalLost(messages.lost))} were lost, and ${came}` +
    (anomalies.late > 0 && wrong === 0
      ? "."
      : "; check that the server speaks the protocol of the endpoint and of --codec.");
}
