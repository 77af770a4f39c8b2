import type { RampLimit } from "../stats/ramp.ts";
import { generalEvidence, whatWasSeen } from "./evidence_text.ts";
import type { Finder } from "./limit_finder.ts";
import * as own from "./own_limits.ts";
import type { RampEvidence } from "./ramp_evidence.ts";
import * as target from "./target_limits.ts";

/**
 * Which limit a ramp has met, and on which side. What an error or a counter proves comes first, what
 * follows from the times comes last; where nothing tells the server from the network, it says so.
 */
export function findLimit(evidence: RampEvidence): RampLimit {
  const finders: readonly Finder[] = [
    own.descriptors,
    own.sourcePorts,
    own.sendQueue,
    own.memory,
    own.conntrack,
    target.serverRefusals,
    target.acceptQueue,
    own.receiveBuffers,
    own.packetBacklog,
    own.generatorCpu,
    target.serverStands,
    target.targetBuffers,
    target.unread,
    target.serverCpu,
    target.refusals,
    target.endedByPeer,
    target.slowPath,
    target.unansweredConnects,
    target.idleServer,
    target.slowPeer,
  ];
  for (const find of finders) {
    const found = find(evidence);
    if (found === undefined) continue;
    const general = generalEvidence(evidence).filter((line) => !found.evidence.includes(line));
    return { ...found, evidence: [...found.evidence, ...general] };
  }
  const isSilent = evidence.answered === 0 && evidence.sent > 0;
  return {
    side: "peer-or-path",
    name: isSilent ? "no answers" : "unknown",
    statement: `No counter of this host and no error names a limit here: it is the target or the ` +
      `network to it. ${whatWasSeen(evidence)}`,
    evidence: generalEvidence(evidence),
  };
}

/**
 * The limits of this host that neither an error of a connection nor the generator's own lateness
 * tells of, in one sentence each.
 */
export function ownLimits(evidence: RampEvidence): string[] {
  return [own.conntrack, own.receiveBuffers, own.packetBacklog].flatMap((find) => {
    const found = find(evidence);
    if (found === undefined) return [];
    return [`${found.statement.slice(0, -1)} (${found.evidence.join("; ")}).`];
  });
}
