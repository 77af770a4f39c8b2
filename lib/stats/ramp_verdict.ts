import { type ExitCode, exitCodes } from "../errors.ts";
import { formatCount, formatElapsed } from "./figures.ts";
import type { Knee, RampReport } from "./ramp.ts";
import type { ClientSnapshot, Verdict } from "./snapshot.ts";
import { missedExpectations } from "./verdict.ts";

/**
 * What a ramp proves, given what the run would prove without it.
 *
 * Where something broke, that is the result: `stopped-by-limit`, with the limit named. Where it is
 * the target's or the network's, expectations still count, for instance on the connections opened;
 * where it is this host's, they would mean nothing. Where nothing broke, the run is judged as any
 * other.
 */
export function judgeRamp(base: Verdict, snapshot: ClientSnapshot): Verdict {
  const { ramp, connections, messages } = snapshot;
  // A target that could not be reached at all is no knee.
  if (ramp === undefined || snapshot.interrupted || connections.opened === 0) return base;
  if (messages.sent > 0 && messages.answered === 0) return base;
  const { knee, limit } = ramp;
  if (limit === undefined) {
    const held =
      `All ${formatCount(connections.requested)} connections were opened and held, and ` +
      `nothing broke: the limit is higher.`;
    return base.kind === "ok" || base.kind === "expectation-failed"
      ? { ...base, reasons: [held, ...base.reasons] }
      : base;
  }
  const missed = missedExpectations(base.expectations);
  const isOwn = limit.side === "client";
  return {
    kind: missed.length > 0 && !isOwn ? "expectation-failed" : "stopped-by-limit",
    reasons: [
      ...(knee === undefined ? [] : [kneeSentence(knee)]),
      limit.statement,
      ...missed,
    ],
    expectations: base.expectations,
  };
}

const affectedWords: Record<Knee["affected"], string> = {
  new: "new ones could not be opened, open ones went on",
  existing: "those open failed",
  both: "new ones could not be opened, and open ones failed",
};

/** `Issues started at N active connections …` */
export function kneeSentence({ connections, atMs, broken, affected }: Knee): string {
  const bounds = broken.map(({ condition, measured }) => `${condition}: ${measured}`).join("; ");
  return `Issues started at ${formatCount(connections)} active connections, after ` +
    `${formatElapsed(atMs)}: ${affectedWords[affected]} (${bounds}).`;
}

/**
 * The exit code of a ramp that a limit ended; undefined where none did. A limit of the target or of
 * the network is what the ramp was to find, a limit of this host is not.
 */
export function rampExitCode(ramp: RampReport | undefined, verdict: Verdict): ExitCode | undefined {
  if (ramp?.limit === undefined || verdict.kind !== "stopped-by-limit") return undefined;
  // It may have been stopped by something else: a target that is not there.
  if (!verdict.reasons.includes(ramp.limit.statement)) return undefined;
  return ramp.limit.side === "client" ? exitCodes.hostLimit : exitCodes.ok;
}
