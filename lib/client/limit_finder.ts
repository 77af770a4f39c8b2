import type { LimitSide } from "../stats/ramp.ts";
import type { RampEvidence } from "./ramp_evidence.ts";

export interface Finding {
  readonly side: LimitSide;
  readonly name: string;
  readonly statement: string;
  /** The figures that the statement rests on; what else was seen comes after them. */
  readonly evidence: readonly string[];
}

export type Finder = (evidence: RampEvidence) => Finding | undefined;

/** A process that uses this much of a core has no time left. */
export const busyCores = 0.9;
