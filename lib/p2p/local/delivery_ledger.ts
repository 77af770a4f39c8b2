import type { Histogram } from "../../stats/histogram.ts";
import { type DeliveryFigures, emptyFigures, settleReach } from "./delivery_figures.ts";
import type { NodeOutages } from "./node_outages.ts";

/** Bytes that the messages of a ledger may take. */
const maxBytes = 128 * 2 ** 20;
/** Typed arrays of a message, and its place in the map. */
const bytesPerMessage = 33 + 40;
const firstCapacity = 1024;

export interface LedgerSettings {
  readonly nodes: number;
  /** Of each message: all other nodes, or one of them. */
  readonly receiversEach: number;
  readonly outages: NodeOutages;
  /** Messages due before are counted, and not timed: the warm-up. By default all are timed. */
  readonly measuredFromNs?: number;
  /** Messages remembered at most; by default as many as 128 MiB hold. */
  readonly maxMessages?: number;
}

/**
 * The books of all messages of a network: what each node says that it sent and received, put together.
 *
 * A message is known by its sender, its index and the instant at which it was due, so that the
 * indices of a node may begin anew. It is remembered with its delay at each node until so many
 * later ones are that it must make room: 73 bytes and 8 for each node, 128 MiB at most; what has not
 * arrived then is lost, and copies that come later still are `late`. The histograms cost 135 KB each,
 * one of them for every node.
 *
 * All instants are nanoseconds of one clock that all nodes share.
 */
export class DeliveryLedger implements DeliveryFigures {
  readonly counts: DeliveryFigures["counts"];
  readonly nodes: DeliveryFigures["nodes"];
  readonly reach: DeliveryFigures["reach"];
  readonly reachCounts: DeliveryFigures["reachCounts"];
  readonly delay: Histogram;
  readonly negativeDelay: Histogram;

  readonly #nodes: number;
  readonly #receiversEach: number;
  readonly #outages: NodeOutages;
  readonly #measuredFromNs: number;
  readonly #maxMessages: number;

  /** Messages are numbered as they become known; those from `first` to below `next` are remembered. */
  #first = 0;
  #next = 0;
  #capacity: number;
  #senders: Uint16Array;
  #indices: Float64Array;
  #dueNs: Float64Array;
  #had: Uint16Array;
  #isSettled: Uint8Array;
  /** The message before it with the same sender and index; -1: none. */
  #before: Float64Array;
  /** By message and node; NaN: has not arrived. */
  #delays: Float64Array;
  /** Of each sender, the last message with an index. */
  readonly #byIndex: Map<number, number>[];
  /** Of each sender, the latest due instant of those forgotten. */
  readonly #forgottenNs: Float64Array;
  /** By receiver and sender, the latest due instant of a message that arrived. */
  readonly #lastDueNs: Float64Array;
  readonly #sorted: Float64Array;

  constructor(
    { nodes, receiversEach, outages, measuredFromNs = -Infinity, maxMessages }: LedgerSettings,
  ) {
    this.#nodes = nodes;
    this.#receiversEach = receiversEach;
    this.#outages = outages;
    this.#measuredFromNs = measuredFromNs;
    this.#maxMessages = maxMessages ?? Math.floor(maxBytes / (bytesPerMessage + 8 * nodes));
    const figures = emptyFigures(nodes);
    this.counts = figures.counts;
    this.nodes = figures.nodes;
    this.reach = figures.reach;
    this.reachCounts = figures.reachCounts;
    this.delay = figures.delay;
    this.negativeDelay = figures.negativeDelay;
    this.#capacity = Math.min(firstCapacity, this.#maxMessages);
    this.#senders = new Uint16Array(this.#capacity);
    this.#indices = new Float64Array(this.#capacity);
    this.#dueNs = new Float64Array(this.#capacity);
    this.#had = new Uint16Array(this.#capacity);
    this.#isSettled = new Uint8Array(this.#capacity);
    this.#before = new Float64Array(this.#capacity);
    this.#delays = new Float64Array(this.#capacity * nodes);
    this.#byIndex = Array.from({ length: nodes }, () => new Map());
    this.#forgottenNs = new Float64Array(nodes).fill(-Infinity);
    this.#lastDueNs = new Float64Array(nodes * nodes).fill(-Infinity);
    this.#sorted = new Float64Array(nodes);
  }

  /**
   * A node says that it has broadcast a message. It must say so before the message is forgotten: half
   * a million later ones are there first, or more.
   */
  sent(sender: number, index: number, dueNs: number): void {
    if (this.#find(sender, index, dueNs) >= 0) return;
    const message = this.#add(sender, index, dueNs);
    // So late that its copies are not waited for any more.
    if (dueNs <= this.#forgottenNs[sender]!) this.#settle(message);
  }

  /** A node says that a message has arrived. */
  received(node: number, sender: number, index: number, dueNs: number, arrivedNs: number): void {
    if (!(sender >= 0 && sender < this.#nodes)) {
      this.counts.foreign++;
      return;
    }
    let message = this.#find(sender, index, dueNs);
    if (message < 0) {
      if (dueNs <= this.#forgottenNs[sender]!) {
        this.counts.late++;
        return;
      }
      message = this.#add(sender, index, dueNs);
    }
    const slot = message % this.#capacity;
    const at = slot * this.#nodes + node;
    const earlier = this.#delays[at]!;
    if (!Number.isNaN(earlier) || node === sender || this.#had[slot]! >= this.#receiversEach) {
      this.#again(node, dueNs + earlier);
    } else if (this.#isSettled[slot] === 1) {
      this.counts.late++;
    } else {
      this.#deliver(message, node, sender, arrivedNs - dueNs);
    }
  }

  /** A node says that further copies of messages that it had have arrived. */
  duplicated(node: number, copies: number): void {
    this.counts.duplicated += copies;
    this.nodes[node]!.duplicated += copies;
  }

  /** What has not arrived until now is lost, or unknown; nothing is in flight then. */
  settle(): void {
    for (let message = this.#first; message < this.#next; message++) this.#settle(message);
  }

  #find(sender: number, index: number, dueNs: number): number {
    let message = this.#byIndex[sender]!.get(index) ?? -1;
    while (message >= 0 && this.#dueNs[message % this.#capacity] !== dueNs) {
      message = this.#before[message % this.#capacity]!;
    }
    return message;
  }

  #add(sender: number, index: number, dueNs: number): number {
    if (this.#next - this.#first === this.#capacity) this.#makeRoom();
    const message = this.#next++;
    const slot = message % this.#capacity;
    const byIndex = this.#byIndex[sender]!;
    this.#senders[slot] = sender;
    this.#indices[slot] = index;
    this.#dueNs[slot] = dueNs;
    this.#had[slot] = 0;
    this.#isSettled[slot] = 0;
    this.#before[slot] = byIndex.get(index) ?? -1;
    this.#delays.fill(NaN, slot * this.#nodes, (slot + 1) * this.#nodes);
    byIndex.set(index, message);
    this.counts.sent++;
    this.nodes[sender]!.sent++;
    this.counts.expected += this.#receiversEach;
    this.counts.inFlight += this.#receiversEach;
    return message;
  }

  #deliver(message: number, node: number, sender: number, delayNs: number): void {
    const slot = message % this.#capacity;
    const books = this.nodes[node]!;
    this.#delays[slot * this.#nodes + node] = delayNs;
    this.counts.inFlight--;
    this.counts.delivered++;
    books.delivered++;
    const dueNs = this.#dueNs[slot]!;
    if (dueNs >= this.#measuredFromNs) {
      if (delayNs < 0) {
        this.negativeDelay.record(-delayNs);
      } else {
        this.delay.record(delayNs);
        books.delay.record(delayNs);
      }
    }
    const pair = node * this.#nodes + sender;
    if (dueNs < this.#lastDueNs[pair]!) {
      this.counts.outOfOrder++;
      books.outOfOrder++;
    } else {
      this.#lastDueNs[pair] = dueNs;
    }
    if (++this.#had[slot]! === this.#receiversEach) this.#settle(message);
  }

  #again(node: number, earlierNs: number): void {
    if (earlierNs < this.#outages.lastStartNs(node)) this.counts.receivedAgain++;
    else this.duplicated(node, 1);
  }

  /** Nothing more is expected of the message. */
  #settle(message: number): void {
    const slot = message % this.#capacity;
    if (this.#isSettled[slot] === 1) return;
    this.#isSettled[slot] = 1;
    const missing = this.#receiversEach - this.#had[slot]!;
    const unknown = missing === 0
      ? 0
      : this.#receiversEach === this.#nodes - 1
      ? this.#settleReceivers(slot)
      : this.#settleAnyReceiver(slot, missing);
    this.counts.inFlight -= missing;
    this.#settleReach(slot, unknown);
  }

  /** @returns of how many receivers it is not known whether they had it. */
  #settleReceivers(slot: number): number {
    const dueNs = this.#dueNs[slot]!;
    let unknown = 0;
    for (let node = 0; node < this.#nodes; node++) {
      if (node === this.#senders[slot] || !Number.isNaN(this.#delays[slot * this.#nodes + node]!)) {
        continue;
      }
      const standing = this.#outages.lost(node, dueNs);
      const fate = standing === "killed-since"
        ? "unknown"
        : standing === "down"
        ? "missedWhileDown"
        : "missed";
      this.counts[fate]++;
      this.nodes[node]![fate]++;
      if (fate === "unknown") unknown++;
    }
    return unknown;
  }

  /** Where one node of all is to have it, it is not said which. */
  #settleAnyReceiver(slot: number, missing: number): number {
    const dueNs = this.#dueNs[slot]!;
    for (let node = 0; node < this.#nodes; node++) {
      if (node === this.#senders[slot]) continue;
      if (this.#outages.standing(node, dueNs) !== "killed-since") continue;
      this.counts.unknown += missing;
      return missing;
    }
    this.counts.missed += missing;
    return 0;
  }

  #settleReach(slot: number, unknown: number): void {
    const from = slot * this.#nodes;
    for (let node = 0; node < this.#nodes; node++) this.#sorted[node] = this.#delays[from + node]!;
    // NaN sorts behind every number.
    this.#sorted.sort();
    const isTimed = this.#dueNs[slot]! >= this.#measuredFromNs;
    settleReach(this, this.#sorted, this.#had[slot]!, unknown, this.#receiversEach, isTimed);
  }

  #makeRoom(): void {
    if (this.#capacity < this.#maxMessages) this.#grow();
    else this.#forgetFirst();
  }

  #forgetFirst(): void {
    const message = this.#first++;
    const slot = message % this.#capacity;
    this.#settle(message);
    const sender = this.#senders[slot]!;
    const index = this.#indices[slot]!;
    const dueNs = this.#dueNs[slot]!;
    if (dueNs > this.#forgottenNs[sender]!) this.#forgottenNs[sender] = dueNs;
    const byIndex = this.#byIndex[sender]!;
    let later = byIndex.get(index)!;
    if (later === message) {
      byIndex.delete(index);
      return;
    }
    // It is the oldest of those with its index, so the one after it becomes that.
    while (this.#before[later % this.#capacity] !== message) {
      later = this.#before[later % this.#capacity]!;
    }
    this.#before[later % this.#capacity] = -1;
  }

  #grow(): void {
    const capacity = Math.min(2 * this.#capacity, this.#maxMessages);
    const nodes = this.#nodes;
    const moved = <Column extends Uint8Array | Uint16Array | Float64Array>(
      column: Column,
      grown: Column,
      each = 1,
    ): Column => {
      for (let message = this.#first; message < this.#next; message++) {
        const from = (message % this.#capacity) * each;
        grown.set(column.subarray(from, from + each), (message % capacity) * each);
      }
      return grown;
    };
    this.#senders = moved(this.#senders, new Uint16Array(capacity));
    this.#indices = moved(this.#indices, new Float64Array(capacity));
    this.#dueNs = moved(this.#dueNs, new Float64Array(capacity));
    this.#had = moved(this.#had, new Uint16Array(capacity));
    this.#isSettled = moved(this.#isSettled, new Uint8Array(capacity));
    this.#before = moved(this.#before, new Float64Array(capacity));
    this.#delays = moved(this.#delays, new Float64Array(capacity * nodes), nodes);
    this.#capacity = capacity;
  }
}
