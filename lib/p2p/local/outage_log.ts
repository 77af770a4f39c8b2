import type { NetworkBooks } from "./network_books.ts";
import type { NodeOutages } from "./node_outages.ts";
import type { NodeProcess } from "./node_process.ts";
import type { PackedRecords } from "./record_batch.ts";
import type { NodeOutageReport } from "./snapshot.ts";

interface Entry {
  readonly node: number;
  readonly pid: number;
  readonly isPlanned: boolean;
  readonly reason: string;
  /** Its place among the node's times in `NodeOutages`. */
  readonly position: number;
  firstMessageNs: number;
  mostInFlight: number;
}

/** What happened to nodes that were down. */
export class OutageLog {
  readonly #outages: NodeOutages;
  readonly #books: NetworkBooks;
  readonly #entries: Entry[] = [];

  constructor(outages: NodeOutages, books: NetworkBooks) {
    this.#outages = outages;
    this.#books = books;
  }

  down(
    node: NodeProcess,
    { reason, isPlanned, atNs }: { reason: string; isPlanned: boolean; atNs: number },
  ): void {
    const { id, pid } = node;
    this.#outages.down(id, atNs);
    this.#entries.push({
      ...{ node: id, pid, isPlanned, reason },
      position: this.#outages.of(id).length - 1,
      firstMessageNs: NaN,
      mostInFlight: 0,
    });
  }

  started(node: NodeProcess, atNs: number): void {
    this.#outages.started(node.id, atNs);
  }

  /** What a node has received; to be called before the books take it. */
  records(node: number, { arrivedNs }: PackedRecords): void {
    const entry = this.#entries.findLast((each) => each.node === node);
    if (entry === undefined || !Number.isNaN(entry.firstMessageNs)) return;
    entry.firstMessageNs = arrivedNs.find((ns) => !Number.isNaN(ns)) ?? NaN;
  }

  /** Looks at the state of the network after a report of a node. */
  look(node: NodeProcess, nowNs: number): void {
    if (this.#entries.length === 0) return;
    if (node.isConnected) this.#outages.back(node.id, nowNs);
    for (const entry of this.#entries) {
      const { backNs } = this.#outages.of(entry.node)[entry.position]!;
      if (backNs < Infinity && entry.node !== node.id) continue;
      const inFlight = this.#books.inFlightTo(entry.node);
      if (inFlight > entry.mostInFlight) entry.mostInFlight = inFlight;
    }
  }

  /** Whether all messages have arrived at the nodes that never were down. */
  nothingOutstandingElsewhere(nodes: number): boolean {
    if (this.#entries.length === 0) return this.#books.inFlight() === 0;
    const wereDown = new Set(this.#entries.map(({ node }) => node));
    for (let node = 0; node < nodes; node++) {
      // Where it is not said who is to have a message, only the whole is known.
      if (!wereDown.has(node) && this.#books.inFlightTo(node) > 0) return false;
    }
    return this.#books.inFlight() === 0 || !Number.isNaN(this.#books.inFlightTo(0));
  }

  /** @param beginNs when the first message was due; times are counted from there. */
  reports(beginNs: number): NodeOutageReport[] {
    const sinceMs = (ns: number) => Number.isFinite(ns) ? (ns - beginNs) / 1e6 : NaN;
    return this.#entries.map(({ node, pid, isPlanned, reason, position, ...entry }) => {
      const time = this.#outages.of(node)[position]!;
      return {
        ...{ node, pid, isPlanned, reason },
        downAtMs: sinceMs(time.downNs),
        startedAtMs: sinceMs(time.startedNs),
        backAtMs: sinceMs(time.backNs),
        firstMessageAtMs: sinceMs(entry.firstMessageNs),
        missed: time.missed,
        unknown: time.unknown,
        mostInFlight: entry.mostInFlight,
      };
    });
  }
}
