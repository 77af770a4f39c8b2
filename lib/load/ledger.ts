import { MessageCounters } from "./message_counters.ts";
import { MessageRing } from "./message_ring.ts";

const vacant = 0;
const waiting = 1;
const inFlight = 2;
const answered = 3;
const timedOut = 4;
const unsent = 5;
const stateBits = 0x7f;
const steadyBit = 0x80;

/**
 * Most messages of one connection that may be open where answers carry 16 bits: below 2^16, so that
 * a free id is found within a few steps.
 */
export const mostOpenOf16Bits = 0xc000;

/** How far a search for one message of a connection goes. */
const searchedMessages = 16_384;

/** What an answer turned out to be. */
export const settledAnswer = 0;
export const settledDuplicate = 1;
export const settledLate = 2;
export const settledUnknown = 3;

export type Settlement =
  | typeof settledAnswer
  | typeof settledDuplicate
  | typeof settledLate
  | typeof settledUnknown;

export interface LedgerSettings {
  readonly connections: number;
  /** Reply timeout, counted from the intended time. */
  readonly timeoutNs: number;
  /** How many low bits of the sequence number an answer carries. */
  readonly sequenceBits: 16 | 32;
  /** Most messages that can await their answer at once. */
  readonly maxMessages?: number;
}

/**
 * Every message between its intended time and its end, in the order of their intended times.
 *
 * Messages are numbered from 0 and kept in a ring, so that issuing, answering and timing out cost no
 * allocation and no search. Because the order is that of intended times, the reply timeout needs no
 * timers: only the oldest message can be overdue. Slots that are settled keep their state until the
 * ring comes round, which is how a duplicate or late answer is told from one to a message that never
 * was.
 *
 * A connection costs 30 bytes.
 */
export class MessageLedger extends MessageRing {
  readonly outside = new MessageCounters();
  readonly steady = new MessageCounters();

  /** Told of each message that times out; a closed loop sends the next one then. */
  timedOut: ((connection: number, sequence: number) => void) | undefined;

  private readonly firstWaiting: Float64Array;
  private readonly lastWaiting: Float64Array;
  /** Raised with each end of a connection, which cannot end 65,536 times within a reply timeout. */
  private readonly connectionEpoch: Uint16Array;
  private readonly inFlightOutside: Uint32Array;
  private readonly inFlightSteady: Uint32Array;
  /** Messages of a connection that wait or are in flight. */
  private readonly openMessages: Uint32Array;

  private readonly timeoutNs: number;
  private readonly wide: boolean;
  private readonly maxMessages: number;

  constructor(settings: LedgerSettings) {
    super();
    this.timeoutNs = settings.timeoutNs;
    this.wide = settings.sequenceBits === 32;
    this.maxMessages = settings.maxMessages ?? 1 << 23;
    this.firstWaiting = new Float64Array(settings.connections).fill(-1);
    this.lastWaiting = new Float64Array(settings.connections).fill(-1);
    this.connectionEpoch = new Uint16Array(settings.connections);
    this.inFlightOutside = new Uint32Array(settings.connections);
    this.inFlightSteady = new Uint32Array(settings.connections);
    this.openMessages = new Uint32Array(settings.connections);
  }

  /** Whether `issue` would refuse: as many messages are unanswered as the ledger can hold. */
  isFull(): boolean {
    return this.tail - this.head >= this.maxMessages;
  }

  /** Messages of a connection that wait or are in flight. */
  openOn(connection: number): number {
    return this.openMessages[connection]!;
  }

  /** Messages of a connection that are out and await their answer. */
  inFlightOn(connection: number): number {
    return this.inFlightOutside[connection]! + this.inFlightSteady[connection]!;
  }

  /**
   * The intended time of the oldest message of a connection that is in flight; Infinity where there is
   * none, or it is not among the oldest of all. Walks through those.
   */
  oldestInFlightNs(connection: number): number {
    const end = Math.min(this.tail, this.head + searchedMessages);
    if (this.inFlightOn(connection) === 0) return Infinity;
    for (let sequence = this.head; sequence < end; sequence++) {
      const slot = sequence & this.mask;
      if (this.connection[slot] !== connection) continue;
      if ((this.state[slot]! & stateBits) !== inFlight) continue;
      if (this.epoch[slot] === this.connectionEpoch[connection]) return this.intendedNs[slot]!;
    }
    return Infinity;
  }

  /** Whether the ids of a connection are used up: its messages must end before it can have more. */
  isFullOn(connection: number): boolean {
    return !this.wide && this.openMessages[connection]! >= mostOpenOf16Bits;
  }

  /** A message is due on a connection that `isFullOn`: the target holds it back. */
  refuse(isSteady: boolean): void {
    const counters = isSteady ? this.steady : this.outside;
    counters.due++;
    counters.unsentHeldBack++;
  }

  /**
   * Enters a message that is due on an open connection; it waits until `markSent`.
   *
   * @returns its sequence number. The caller has asked `isFull` and `isFullOn` before.
   */
  issue(connection: number, intendedNs: number, gapNs: number, isSteady: boolean): number {
    this.reserve();
    if (!this.wide && this.tail - this.head >= 0x10000) this.skipAmbiguous(connection);
    const sequence = this.tail++;
    const slot = sequence & this.mask;
    this.intendedNs[slot] = intendedNs;
    this.gapNs[slot] = gapNs;
    this.next[slot] = -1;
    this.connection[slot] = connection;
    this.epoch[slot] = this.connectionEpoch[connection]!;
    this.state[slot] = isSteady ? waiting | steadyBit : waiting;
    const counters = isSteady ? this.steady : this.outside;
    counters.due++;
    counters.queued++;
    this.openMessages[connection]!++;
    const last = this.lastWaiting[connection]!;
    if (last < 0) this.firstWaiting[connection] = sequence;
    else this.next[last & this.mask] = sequence;
    this.lastWaiting[connection] = sequence;
    return sequence;
  }

  /** The first message that waits on a connection, or -1. */
  firstWaitingOn(connection: number): number {
    return this.firstWaiting[connection]!;
  }

  /** The message that waits behind this one on the same connection, or -1. */
  waitingAfter(sequence: number): number {
    return this.next[sequence & this.mask]!;
  }

  isSteady(sequence: number): boolean {
    return (this.state[sequence & this.mask]! & steadyBit) !== 0;
  }

  /** The first waiting message of a connection is out: the transport took its last byte. */
  markSent(connection: number, nowNs: number): void {
    const slot = this.firstWaiting[connection]! & this.mask;
    this.unqueueFirst(connection, slot);
    this.sentNs[slot] = nowNs;
    if ((this.state[slot]! & steadyBit) !== 0) {
      this.state[slot] = inFlight | steadyBit;
      this.inFlightSteady[connection]!++;
      this.steady.queued--;
      this.steady.sent++;
      this.steady.inFlight++;
    } else {
      this.state[slot] = inFlight;
      this.inFlightOutside[connection]!++;
      this.outside.queued--;
      this.outside.sent++;
      this.outside.inFlight++;
    }
  }

  private unqueueFirst(connection: number, slot: number): void {
    const next = this.next[slot]!;
    this.firstWaiting[connection] = next;
    if (next < 0) this.lastWaiting[connection] = -1;
  }

  /** The message that the last `settle` or `spoil` found; meaningful after `settledAnswer`. */
  settled = -1;

  /** An answer came: finds its message, and ends it when it was in flight. */
  settle(connection: number, answerSequence: number): Settlement {
    const result = this.find(connection, answerSequence);
    if (result === settledAnswer) {
      this.leaveFlight(connection, this.settled & this.mask, answered).answered++;
    }
    return result;
  }

  /**
   * An answer came that is not what was sent: its message is lost, and a further one is a duplicate.
   *
   * @returns whether there was a message to lose.
   */
  spoil(connection: number, answerSequence: number): boolean {
    if (this.find(connection, answerSequence) !== settledAnswer) return false;
    this.leaveFlight(connection, this.settled & this.mask, answered).lostCorrupted++;
    return true;
  }

  private leaveFlight(connection: number, slot: number, state: number): MessageCounters {
    this.openMessages[connection]!--;
    if ((this.state[slot]! & steadyBit) !== 0) {
      this.state[slot] = state | steadyBit;
      this.inFlightSteady[connection]!--;
      this.steady.inFlight--;
      return this.steady;
    }
    this.state[slot] = state;
    this.inFlightOutside[connection]!--;
    this.outside.inFlight--;
    return this.outside;
  }

  private find(connection: number, answerSequence: number): Settlement {
    const step = this.wide ? 0x100000000 : 0x10000;
    const low = this.wide ? this.tail >>> 0 : this.tail & 0xffff;
    let back = low - answerSequence;
    if (back <= 0) back += step;
    const { oldest } = this;
    let result: Settlement = settledUnknown;
    for (let sequence = this.tail - back; sequence >= oldest; sequence -= step) {
      const slot = sequence & this.mask;
      if (this.connection[slot] !== connection) continue;
      const state = this.state[slot]! & stateBits;
      if (state === inFlight && this.epoch[slot] === this.connectionEpoch[connection]) {
        this.settled = sequence;
        return settledAnswer;
      }
      if (result === settledUnknown) {
        if (state === answered) result = settledDuplicate;
        else if (state === timedOut) result = settledLate;
      }
    }
    return result;
  }

  /**
   * How many messages wait for their send or their answer that were due before a time. It looks at
   * every message since the oldest open one: 1 ms for 250,000.
   */
  openSince(dueBeforeNs: number): number {
    let count = 0;
    for (let sequence = this.head; sequence < this.tail; sequence++) {
      const slot = sequence & this.mask;
      if (this.intendedNs[slot]! >= dueBeforeNs) break;
      const state = this.state[slot]! & stateBits;
      if (state === waiting) count++;
      else if (state === inFlight) {
        const connection = this.connection[slot]!;
        if (this.epoch[slot] === this.connectionEpoch[connection]) count++;
      }
    }
    return count;
  }

  /** Ends the messages whose reply timeout is over. */
  expire(nowNs: number): void {
    const limitNs = nowNs - this.timeoutNs;
    while (this.head < this.tail) {
      const slot = this.head & this.mask;
      const state = this.state[slot]! & stateBits;
      if (state === waiting || state === inFlight) {
        if (this.intendedNs[slot]! > limitNs) break;
        this.timeOut(slot, state);
      }
      this.head++;
    }
  }

  private timeOut(slot: number, state: number): void {
    const connection = this.connection[slot]!;
    if (state === waiting) {
      // Queues are in the order of intended times too: the oldest message is the first of its queue.
      this.unqueueFirst(connection, slot);
      this.openMessages[connection]!--;
      // Part of it may be out, and the rest has to follow: its answer will be late, not unknown.
      this.giveUpWaiting(slot, timedOut);
    } else {
      // Messages of a connection that has ended were counted as lost at its end.
      if (this.epoch[slot] !== this.connectionEpoch[connection]) return;
      this.leaveFlight(connection, slot, timedOut).lostTimeout++;
    }
    this.timedOut?.(connection, this.head);
  }

  private giveUpWaiting(slot: number, state: number): void {
    const isSteady = (this.state[slot]! & steadyBit) !== 0;
    const counters = isSteady ? this.steady : this.outside;
    counters.queued--;
    counters.unsentHeldBack++;
    this.state[slot] = isSteady ? state | steadyBit : state;
  }

  /** The connection has ended: what is in flight on it is lost, what waits cannot be sent. */
  closeConnection(connection: number): void {
    this.outside.lostClosed += this.inFlightOutside[connection]!;
    this.steady.lostClosed += this.inFlightSteady[connection]!;
    this.dropConnection(connection);
  }

  /** Ends every message that is still open: the run is over. */
  closeAll(): void {
    for (let connection = 0; connection < this.connectionEpoch.length; connection++) {
      this.outside.lostUnanswered += this.inFlightOutside[connection]!;
      this.steady.lostUnanswered += this.inFlightSteady[connection]!;
      this.dropConnection(connection);
    }
    this.head = this.tail;
  }

  /** In-flight slots are not visited: the new epoch tells that they are accounted for. */
  private dropConnection(connection: number): void {
    this.outside.inFlight -= this.inFlightOutside[connection]!;
    this.steady.inFlight -= this.inFlightSteady[connection]!;
    this.inFlightOutside[connection] = 0;
    this.inFlightSteady[connection] = 0;
    this.openMessages[connection] = 0;
    this.connectionEpoch[connection]!++;
    let sequence = this.firstWaiting[connection]!;
    while (sequence >= 0) {
      const slot = sequence & this.mask;
      this.giveUpWaiting(slot, unsent);
      sequence = this.next[slot]!;
    }
    this.firstWaiting[connection] = -1;
    this.lastWaiting[connection] = -1;
  }

  /** Messages in flight and waiting, over all connections. */
  get open(): number {
    return this.outside.queued + this.steady.queued + this.outside.inFlight + this.steady.inFlight;
  }

  /** With 16-bit ids, two messages on one connection must never await the same id. */
  private skipAmbiguous(connection: number): void {
    while (this.isAmbiguous(connection)) {
      const slot = this.tail++ & this.mask;
      this.state[slot] = vacant;
      this.connection[slot] = -1;
      this.reserve();
    }
  }

  private isAmbiguous(connection: number): boolean {
    for (let sequence = this.tail - 0x10000; sequence >= this.head; sequence -= 0x10000) {
      const slot = sequence & this.mask;
      if (this.connection[slot] !== connection) continue;
      const state = this.state[slot]! & stateBits;
      if (state !== waiting && state !== inFlight) continue;
      if (this.epoch[slot] === this.connectionEpoch[connection]) return true;
    }
    return false;
  }
}
