import { addFigures, type DeliveryFigures, emptyFigures } from "./delivery_figures.ts";
import { DeliveryLedger } from "./delivery_ledger.ts";
import type { NodeOutages } from "./node_outages.ts";
import type { PackedRecords } from "./record_batch.ts";

export interface NetworkBooksSettings {
  readonly nodes: number;
  /** Of each message: all other nodes, or one of them. */
  readonly receiversEach: number;
  readonly outages: NodeOutages;
  /**
   * The part of the run that a message belongs to by the instant at which it was due: the period of
   * `explore`. Without it the run has one part.
   */
  readonly partOf?: (dueNs: number) => number;
}

/** The books of a run: one ledger, or in `explore` one for each trial, which are added up. */
export class NetworkBooks {
  /** Messages due before are counted, and not timed; to be set before the first is known. */
  measuredFromNs = -Infinity;
  readonly #settings: NetworkBooksSettings;
  readonly #open = new Map<number, DeliveryLedger>();
  /** Of the parts that are settled. */
  readonly #settled: DeliveryFigures;
  /** Parts up to this one are settled: what comes for them is late. */
  #settledUpTo = -Infinity;

  constructor(settings: NetworkBooksSettings) {
    this.#settings = settings;
    this.#settled = emptyFigures(settings.nodes);
  }

  /** What a node says that it sent and received. */
  record(node: number, records: PackedRecords): void {
    const { senders, indices, dueNs, arrivedNs, duplicates, foreign } = records;
    for (let at = 0; at < senders.length; at++) {
      const ledger = this.#ledgerFor(dueNs[at]!);
      const isArrival = !Number.isNaN(arrivedNs[at]!);
      if (ledger === undefined) {
        if (isArrival) this.#settled.counts.late++;
      } else if (isArrival) {
        ledger.received(node, senders[at]!, indices[at]!, dueNs[at]!, arrivedNs[at]!);
      } else {
        ledger.sent(senders[at]!, indices[at]!, dueNs[at]!);
      }
    }
    this.#settled.counts.foreign += foreign;
    this.#settled.counts.duplicated += duplicates;
    this.#settled.nodes[node]!.duplicated += duplicates;
  }

  /** Deliveries to a node that are outstanding; NaN where it is not said who is to have a message. */
  inFlightTo(node: number): number {
    if (this.#settings.receiversEach < this.#settings.nodes - 1) return NaN;
    let inFlight = 0;
    for (const { counts, nodes } of this.#open.values()) {
      const { sent, delivered, missed, missedWhileDown, unknown } = nodes[node]!;
      inFlight += counts.sent - sent - delivered - missed - missedWhileDown - unknown;
    }
    return inFlight;
  }

  /** All deliveries that are outstanding. */
  inFlight(): number {
    return [...this.#open.values()].reduce((total, { counts }) => total + counts.inFlight, 0);
  }

  /** Messages broadcast, and deliveries made, until now. */
  progress(): { readonly sent: number; readonly delivered: number } {
    let { sent, delivered } = this.#settled.counts;
    for (const { counts } of this.#open.values()) {
      sent += counts.sent;
      delivered += counts.delivered;
    }
    return { sent, delivered };
  }

  /** Everything until now, as copies. */
  figures(): DeliveryFigures {
    const total = emptyFigures(this.#settings.nodes);
    addFigures(total, this.#settled);
    for (const ledger of this.#open.values()) addFigures(total, ledger);
    return total;
  }

  /**
   * Ends the parts up to this one; what has not arrived in them is lost.
   *
   * @returns the figures of each, by part, in ascending order.
   */
  settleUpTo(part: number): { readonly part: number; readonly figures: DeliveryFigures }[] {
    this.#settledUpTo = Math.max(this.#settledUpTo, part);
    const ended = [...this.#open].filter(([each]) => each <= part).sort(([a], [b]) => a - b);
    for (const [each, ledger] of ended) {
      ledger.settle();
      addFigures(this.#settled, ledger);
      this.#open.delete(each);
    }
    return ended.map(([each, figures]) => ({ part: each, figures }));
  }

  #ledgerFor(dueNs: number): DeliveryLedger | undefined {
    const part = this.#settings.partOf?.(dueNs) ?? 0;
    const known = this.#open.get(part);
    if (known !== undefined) return known;
    if (!(part > this.#settledUpTo)) return undefined;
    const { nodes, receiversEach, outages } = this.#settings;
    const { measuredFromNs } = this;
    const ledger = new DeliveryLedger({ nodes, receiversEach, outages, measuredFromNs });
    this.#open.set(part, ledger);
    return ledger;
  }
}
