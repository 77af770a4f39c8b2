import { test } from "bun:test";
import { hostileChecks } from "./conformance_hostile.ts";
import { lifecycleChecks } from "./conformance_lifecycle.ts";
import { trafficChecks } from "./conformance_traffic.ts";
import type { Subject } from "./pair.ts";

/**
 * What every transport has to pass. They use the contract in `lib/transport/transport.ts` and
 * nothing else; `Pair` adds to each of them that every connection closes exactly once.
 */
export const checks = { ...trafficChecks, ...lifecycleChecks, ...hostileChecks };

export type CheckName = keyof typeof checks;

/** Checks that a transport cannot pass, with the reason. */
export type Skips = Partial<Record<CheckName, string>>;

/** Registers every check for one transport; those that it skips show as skipped, with the reason. */
export function testConformance(subject: Subject, skips: Skips = {}): void {
  for (const name of Object.keys(checks) as CheckName[]) {
    const title = `${subject.name} ${name}`;
    const reason = skips[name];
    if (reason !== undefined) test.skip(`${title} (skipped: ${reason})`, () => {});
    else test(title, () => checks[name](subject), 120_000);
  }
}
