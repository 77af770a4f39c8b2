import type { PublisherReceipts, PublisherTotal } from "./counter_book.ts";
import { type ProbePlan, publisherName, publishersOf } from "./plan.ts";
import type { ProbeHistograms, ProbeSnapshot, PublisherRow } from "./snapshot.ts";

/** A probe, in this process or in several. */
export interface Probe {
  /** All that is known now. */
  snapshot(): ProbeSnapshot;
  /** Runs to its end; an abort ends it early, with what was measured. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends what is left of it, where it could not run to its end. */
  close(): void;
}

/** Called each second and at the end; `interval` is valid during the call only. */
export type SecondHandler = (interval: ProbeHistograms, snapshot: ProbeSnapshot) => void;

/** The rows of all publishers, from what they did and what all processes received. */
export function publisherRows(
  plan: ProbePlan,
  totals: readonly PublisherTotal[],
  receipts: readonly (readonly PublisherReceipts[])[],
): PublisherRow[] {
  const names = Array.from(
    { length: plan.clients },
    (_, client) =>
      Array.from(
        { length: publishersOf(plan, client) },
        (_, own) => publisherName(plan, client, own),
      ),
  ).flat();
  return totals.map(({ published, unacknowledged }, publisher) => {
    const row: PublisherRow = {
      name: names[publisher]!,
      published,
      acknowledged: published - unacknowledged.length,
      received: 0,
      lost: 0,
      missedAway: 0,
      duplicated: 0,
      outOfOrder: 0,
    };
    for (const ofProcess of receipts) {
      const receipt = ofProcess[publisher];
      if (receipt === undefined) continue;
      row.received += receipt.received;
      row.lost += receipt.lost;
      row.missedAway += receipt.missedAway;
      row.duplicated += receipt.duplicated;
      row.outOfOrder += receipt.outOfOrder;
    }
    return row;
  });
}
