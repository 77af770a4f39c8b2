import { Histogram } from "../stats/histogram.ts";
import type { ExploreClock } from "./explore_clock.ts";
import { arrivals } from "./index_range.ts";
import { IndexTracker } from "./index_tracker.ts";
import { emptyHeader, readMessage } from "./message.ts";
import type { NodeDurations } from "./metrics/node_durations.ts";
import type { ClockOffset } from "./network/network.ts";
import type { NodeObserver } from "./node/node_observer.ts";
import { emptyReceiveCounts, type RefusalReason, type SenderCounts } from "./snapshot.ts";
import type { WallClock } from "./wall_clock.ts";

export interface ReceiverSettings {
  readonly nodeId: number;
  readonly numNodes: number;
  readonly clock: WallClock;
  readonly durations: Pick<NodeDurations, "delivery" | "negativeDelivery" | "correctedDelivery">;
  readonly observer: NodeObserver;
  /** Of `explore`: messages that were due in another period than `period` are refused. */
  readonly exploreClock: ExploreClock | undefined;
}

/** What came in one trial of `explore`. */
export class TrialArrivals {
  received = 0;
  receivedBytes = 0;
  duplicates = 0;
  /** Messages of other sizes than the trial's. */
  otherSizes = 0;
  readonly delivery = new Histogram();
  readonly negativeDelivery = new Histogram();

  constructor(readonly messageBytes: number) {}
}

/** Takes the messages that the network brings: checks, follows and times them. */
export class MessageReceiver {
  readonly counts = emptyReceiveCounts();
  /** The period of the trial that messages are expected of. */
  period = 0;
  trial: TrialArrivals | undefined;
  /** Messages due before are counted, and not timed: the warm-up. */
  measuredFromNs = -Infinity;
  /** When the last one came, by the clock of the settings. */
  lastArrivedNs = -Infinity;

  /** By sender, how far its clock is ahead of ours; NaN where that is not known. */
  private readonly offsetsNs: Float64Array;
  private readonly trackers: (IndexTracker | undefined)[] = [];
  private readonly header = emptyHeader();

  constructor(private readonly settings: ReceiverSettings) {
    this.offsetsNs = new Float64Array(settings.numNodes).fill(NaN);
  }

  /** From now on delays are corrected by these. */
  setClockOffsets(offsets: readonly ClockOffset[]): void {
    for (const { peer, offsetNs } of offsets) {
      if (peer in this.offsetsNs) this.offsetsNs[peer] = offsetNs;
    }
  }

  /** Takes a message; its bytes are not kept. */
  receive(message: Uint8Array): void {
    const { settings, header, counts } = this;
    const arrivedNs = settings.clock.nowNs();
    const reason = readMessage(message, header) ?? this.unwanted();
    if (reason !== undefined) {
      counts.refused[reason]++;
      return;
    }
    const { length } = message;
    const { sender, index } = header;
    this.lastArrivedNs = arrivedNs;
    counts.messages++;
    counts.bytes += length;
    counts.lastBytes = length;
    const intendedNs = (header.seconds - settings.clock.originSeconds) * 1e9 + header.nanoseconds;
    const delayNs = arrivedNs - intendedNs;
    const tracker = this.trackers[sender] ??= new IndexTracker(sender);
    const arrival = tracker.add(index, intendedNs, delayNs);
    const { trial } = this;
    if (arrival !== arrivals.first) {
      if (trial !== undefined) trial.duplicates++;
      settings.observer.duplicated?.(sender, index, arrivedNs);
      return;
    }
    if (intendedNs >= this.measuredFromNs) this.time(sender, delayNs);
    if (trial !== undefined) countTrial(trial, length, delayNs);
    settings.observer.received?.(sender, index, intendedNs, arrivedNs, length);
  }

  private time(sender: number, delayNs: number): void {
    const { delivery, negativeDelivery, correctedDelivery } = this.settings.durations;
    if (delayNs >= 0) delivery.record(delayNs);
    else negativeDelivery.record(-delayNs);
    const correctedNs = delayNs + this.offsetsNs[sender]!;
    if (Number.isNaN(correctedNs)) return;
    if (correctedNs < 0) this.counts.correctedBelowZero++;
    correctedDelivery.record(Math.max(0, correctedNs));
  }

  private unwanted(): RefusalReason | undefined {
    const { header, settings } = this;
    if (header.sender === settings.nodeId) return "own";
    if (header.sender >= settings.numNodes) return "unknown_sender";
    const { exploreClock } = settings;
    if (exploreClock === undefined) return undefined;
    const period = exploreClock.periodOf(header.seconds + header.nanoseconds / 1e9);
    return period === this.period ? undefined : "other_trial";
  }

  /** Of each sender that something came from, by id. */
  senders(): SenderCounts[] {
    return this.trackers.flatMap((tracker) => tracker === undefined ? [] : [{ ...tracker.counts }]);
  }

  /** What is pending now, of all senders. */
  pending(): number {
    return this.trackers.reduce((total, tracker) => total + (tracker?.counts.pending ?? 0), 0);
  }

  /** The last index of a sender; −1 before its first message. */
  lastIndexOf(sender: number): number {
    return this.trackers[sender]?.counts.lastIndex ?? -1;
  }

  /** Forgets which indices came. */
  reset(): void {
    for (const tracker of this.trackers) tracker?.reset();
  }
}

function countTrial(trial: TrialArrivals, bytes: number, delayNs: number): void {
  trial.received++;
  trial.receivedBytes += bytes;
  if (bytes !== trial.messageBytes) trial.otherSizes++;
  if (delayNs >= 0) trial.delivery.record(delayNs);
  else trial.negativeDelivery.record(-delayNs);
}
