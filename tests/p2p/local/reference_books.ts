import {
  type DeliveryCounts,
  emptyDeliveryCounts,
} from "../../../lib/p2p/local/delivery_counts.ts";

interface Arrival {
  readonly atNs: number;
}

interface Message {
  readonly sender: number;
  readonly dueNs: number;
  readonly arrivals: Map<number, Arrival>;
}

interface Down {
  readonly node: number;
  readonly downNs: number;
  startedNs: number;
  backNs: number;
}

/** The books of all messages in the plainest way: everything is kept, everything is computed anew. */
export class ReferenceBooks {
  readonly downs: Down[] = [];
  readonly #messages = new Map<string, Message>();
  readonly #inOrder: { node: number; sender: number; dueNs: number }[] = [];
  #duplicated = 0;
  #receivedAgain = 0;

  constructor(private readonly nodes: number) {}

  sent(sender: number, index: number, dueNs: number): void {
    this.#message(sender, index, dueNs);
  }

  received(node: number, sender: number, index: number, dueNs: number, atNs: number): void {
    const message = this.#message(sender, index, dueNs);
    const earlier = message.arrivals.get(node);
    if (earlier === undefined) {
      message.arrivals.set(node, { atNs });
      this.#inOrder.push({ node, sender, dueNs });
      return;
    }
    const startedNs = this.downs.findLast((down) => down.node === node)?.startedNs ?? -Infinity;
    if (earlier.atNs < startedNs) this.#receivedAgain++;
    else this.#duplicated++;
  }

  /** The counts, where everything that is missing is still in flight or, `settled`, is not. */
  counts(settled: boolean): DeliveryCounts {
    const counts = emptyDeliveryCounts();
    for (const { sender, dueNs, arrivals } of this.#messages.values()) {
      counts.sent++;
      for (let node = 0; node < this.nodes; node++) {
        if (node === sender) continue;
        counts.expected++;
        if (arrivals.has(node)) counts.delivered++;
        else if (!settled) counts.inFlight++;
        else counts[this.#fate(node, dueNs)]++;
      }
    }
    counts.duplicated = this.#duplicated;
    counts.receivedAgain = this.#receivedAgain;
    counts.outOfOrder =
      this.#inOrder.filter(({ node, sender, dueNs }, position) =>
        this.#inOrder.slice(0, position).some((earlier) =>
          earlier.node === node && earlier.sender === sender && earlier.dueNs > dueNs
        )
      ).length;
    return counts;
  }

  /** All delays, of one receiver or of all. */
  delays(receiver?: number): number[] {
    return [...this.#messages.values()].flatMap(({ dueNs, arrivals }) =>
      [...arrivals].filter(([node]) => receiver === undefined || node === receiver)
        .map(([, { atNs }]) => atNs - dueNs)
    );
  }

  /** How long each message needed to a share of the others; what did not get there is undefined. */
  reach(share: number): (number | "unknown" | undefined)[] {
    return [...this.#messages.values()].map(({ sender, dueNs, arrivals }) => {
      const needed = Math.ceil(share * (this.nodes - 1));
      const delays = [...arrivals.values()].map(({ atNs }) => atNs - dueNs).sort((a, b) => a - b);
      if (delays.length >= needed) return delays[needed - 1];
      const others = Array.from({ length: this.nodes }, (_, node) => node)
        .filter((node) => node !== sender && !arrivals.has(node));
      const unknown = others.filter((node) => this.#fate(node, dueNs) === "unknown").length;
      return delays.length + unknown >= needed ? "unknown" : undefined;
    });
  }

  #fate(node: number, dueNs: number): "missed" | "missedWhileDown" | "unknown" {
    const downs = this.downs.filter((down) => down.node === node);
    if (downs.some(({ downNs }) => downNs >= dueNs)) return "unknown";
    if (downs.some(({ backNs }) => backNs > dueNs)) return "missedWhileDown";
    return "missed";
  }

  #message(sender: number, index: number, dueNs: number): Message {
    const key = `${sender} ${index} ${dueNs}`;
    const known = this.#messages.get(key);
    if (known !== undefined) return known;
    const message = { sender, dueNs, arrivals: new Map<number, Arrival>() };
    this.#messages.set(key, message);
    return message;
  }
}
