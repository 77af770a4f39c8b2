import { nowNs } from "../stats/clock.ts";
import type { NodeDurations } from "./metrics/node_durations.ts";
import type { DropReason } from "./network/network.ts";
import { writeHeader } from "./message.ts";
import type { Span } from "./mode.ts";
import { OutstandingMessages } from "./outstanding_messages.ts";
import {
  type BroadcastCounts,
  type BroadcastDropReason,
  broadcastDropReasons,
  emptyBroadcastCounts,
  totalDropped,
} from "./snapshot.ts";
import type { WallClock } from "./wall_clock.ts";

/**
 * However few messages that is: `explore` asks for 4 MiB every millisecond, and the default buffer of
 * 100,000 of those would be more memory than a host has.
 */
const mostOutstandingBytes = 256 * 2 ** 20;

/** Publishing goes on for so long at most before the event loop turns: peers are served between. */
const longestStepNs = 5e6;

export interface BroadcasterSettings {
  readonly nodeId: number;
  /** Messages that may be on their way into the network at the same time; 256 MiB at most. */
  readonly bufferSize: number;
  readonly clock: WallClock;
  readonly durations: Pick<NodeDurations, "sendDelay" | "lateness">;
  /** Hands a message to the network: see `BroadcastNetwork.publish`. */
  readonly publish: (message: Uint8Array, token: number) => DropReason | undefined;
  /** Told of every message that was sent; the instant is that of the real-time clock. */
  readonly sent: (index: number, intendedWallNs: number, sizeBytes: number) => void;
}

/** What is broadcast, and how often. */
export interface BroadcastLoad {
  /** Whole message, header included. */
  readonly messageBytes: number;
  readonly heartbeatNs: number;
}

/**
 * Broadcasts by plan, whatever the network does: message k of a span is due `k` heartbeats after its
 * start. The plan is computed, never timed: a message that leaves late keeps its intended time, and
 * the plan is not shifted. Indices go on from span to span, and begin at 0 again with `reset`.
 */
export class Broadcaster {
  /** Messages due before, by the clock of the settings, are counted and not timed: the warm-up. */
  measuredFromNs = -Infinity;
  private message: Uint8Array;
  private heartbeatNs: number;
  private nextIndex = 0;
  private span: Span = { startNs: Infinity, endNs: Infinity };
  /** Messages of the span that were taken up. */
  private taken = 0;
  /** Those that were taken up since the reset, and those of the span that could not be. */
  private counts = emptyBroadcastCounts();
  private readonly earlier = emptyBroadcastCounts();
  private readonly outstanding = new OutstandingMessages();

  constructor(private readonly settings: BroadcasterSettings, load: BroadcastLoad) {
    this.message = new Uint8Array(load.messageBytes);
    this.heartbeatNs = load.heartbeatNs;
  }

  /** From now on other messages; between spans only. */
  setLoad({ messageBytes, heartbeatNs }: BroadcastLoad): void {
    this.message = new Uint8Array(messageBytes);
    this.heartbeatNs = heartbeatNs;
  }

  /** Plans a span of the monotonic clock. What is left of the one before is dropped as late. */
  plan(span: Span): void {
    this.dropRest(nowNs());
    this.span = span;
    this.taken = 0;
  }

  /** Nothing falls due from this instant on. What was due before is still sent. */
  end(atNs: number): void {
    this.span = { startNs: this.span.startNs, endNs: Math.min(this.span.endNs, atNs) };
  }

  /** When the next message is due; Infinity where none is planned. */
  get nextNs(): number {
    const { startNs, endNs } = this.span;
    const nextNs = startNs + this.taken * this.heartbeatNs;
    return nextNs < endNs ? nextNs : Infinity;
  }

  /** Everything that was due has been taken up, and has left or was dropped. */
  get isIdle(): boolean {
    return this.outstanding.count === 0 && !(this.nextNs <= nowNs());
  }

  /**
   * Broadcasts what is due, for some milliseconds at most.
   *
   * @returns when there is something to do again.
   */
  step(atNs: number): number {
    const endNs = nowNs() + longestStepNs;
    for (let clockNs = atNs; this.nextNs <= atNs && clockNs < endNs; clockNs = nowNs()) {
      this.broadcast(this.nextNs, clockNs);
    }
    return this.nextNs;
  }

  private broadcast(intendedNs: number, atNs: number): void {
    const { settings, counts, message, outstanding } = this;
    const { clock } = settings;
    const index = this.nextIndex++;
    this.taken++;
    counts.due++;
    // Rounded once: the header, the observer and the end of the warm-up go by the same instant.
    const wallNs = Math.round(clock.atMonotonic(intendedNs));
    if (wallNs >= this.measuredFromNs) settings.durations.lateness.record(atNs - intendedNs);
    const isFull = outstanding.count >= settings.bufferSize ||
      outstanding.count * message.length >= mostOutstandingBytes;
    if (isFull) {
      counts.dropped.all_queues_full++;
      return;
    }
    const seconds = Math.floor(wallNs / 1e9);
    const nanoseconds = wallNs - seconds * 1e9;
    writeHeader(message, settings.nodeId, index, clock.originSeconds + seconds, nanoseconds);
    const token = outstanding.add(index, intendedNs, wallNs);
    const reason = settings.publish(message, token);
    if (reason === undefined) return;
    outstanding.remove(token);
    counts.dropped[reason]++;
  }

  /** The network has handed a message to the sockets. */
  sent(token: number): void {
    const { outstanding, counts, settings } = this;
    const index = outstanding.indexOf(token);
    if (index < 0) return;
    const sizeBytes = this.message.length;
    counts.sent++;
    counts.bytes += sizeBytes;
    const wallNs = outstanding.intendedWallNsOf(token);
    if (wallNs >= this.measuredFromNs) {
      settings.durations.sendDelay.record(nowNs() - outstanding.intendedNsOf(token));
    }
    outstanding.remove(token);
    settings.sent(index, wallNs, sizeBytes);
  }

  /** The network has dropped a message that it had taken. */
  dropped(reason: DropReason, token: number): void {
    if (this.outstanding.indexOf(token) < 0) return;
    this.outstanding.remove(token);
    this.counts.dropped[reason]++;
  }

  /** The network was dropped with all that it had taken; what was due and not taken up is late. */
  networkEnded(atNs: number): void {
    this.counts.dropped.network_reset += this.outstanding.count;
    this.outstanding.clear();
    this.end(atNs);
    this.dropRest(atNs);
  }

  /** Ends a trial: indices and counts begin at 0, as in a new network. */
  reset(): void {
    const { earlier, counts } = this;
    for (const key of ["due", "sent", "queued", "bytes"] as const) earlier[key] += counts[key];
    for (const reason of broadcastDropReasons) earlier.dropped[reason] += counts.dropped[reason];
    this.counts = emptyBroadcastCounts();
    this.nextIndex = 0;
  }

  /** Since the last reset. */
  trialCounts(atNs: number = nowNs()): BroadcastCounts {
    const { counts } = this;
    const due = counts.due + this.countRest(atNs);
    const dropped = { ...counts.dropped };
    return { ...counts, due, dropped, queued: due - counts.sent - totalDropped({ dropped }) };
  }

  /** Since the start. */
  totalCounts(atNs: number = nowNs()): BroadcastCounts {
    const { earlier } = this;
    const trial = this.trialCounts(atNs);
    return {
      due: earlier.due + trial.due,
      sent: earlier.sent + trial.sent,
      queued: trial.queued,
      bytes: earlier.bytes + trial.bytes,
      dropped: Object.fromEntries(
        broadcastDropReasons.map((reason) => [
          reason,
          earlier.dropped[reason] + trial.dropped[reason],
        ]),
      ) as Record<BroadcastDropReason, number>,
    };
  }

  /** How many messages of the span are due, and were not taken up. */
  private countRest(atNs: number): number {
    const { startNs, endNs } = this.span;
    if (!(startNs <= atNs)) return 0;
    const planned = plannedCount({ startNs, endNs: Math.min(endNs, atNs) }, this.heartbeatNs);
    return Math.max(0, planned - this.taken);
  }

  private dropRest(atNs: number): void {
    const late = this.countRest(atNs);
    this.counts.due += late;
    this.counts.dropped.late += late;
    this.nextIndex += late;
    this.taken += late;
  }
}

/** How many messages are due in a span, the one at its start among them. */
export function plannedCount({ startNs, endNs }: Span, heartbeatNs: number): number {
  if (!(endNs > startNs)) return 0;
  const count = Math.ceil((endNs - startNs) / heartbeatNs);
  // The same products as `Broadcaster.nextNs`, whatever rounding does to the quotient.
  if (startNs + count * heartbeatNs < endNs) return count + 1;
  return startNs + (count - 1) * heartbeatNs < endNs ? count : count - 1;
}
