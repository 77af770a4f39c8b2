import { nowNs } from "../stats/clock.ts";
import type { Failure } from "../stats/failure.ts";
import { FailureTally } from "../stats/failure_tally.ts";
import { ConnectPace } from "./connect_pace.ts";
import type { LatencyRecorder } from "./latency_recorder.ts";
import { OpenList } from "./open_list.ts";
import { PendingAttempts } from "./pending_attempts.ts";
import {
  type ConnectingSide,
  noEvents,
  type PoolEvents,
  type PoolSettings,
} from "./pool_settings.ts";
import { RetryQueue } from "./retry_queue.ts";

// State of a connection. 0: not tried yet.
const connecting = 1;
/** It is going to be opened again. */
const waiting = 2;
const ended = 3;
/** Nothing more is sent on it, and it is going to be closed and opened again (`recycle`). */
const leaving = 4;
/** Open, on a transport whose opening reaches nobody, and back only with the first answer. */
const unproven = 5;
const open = 6;

// What an attempt is for.
const first = 0;
const retry = 1;
const recycle = 2;

/** Attempts in one step, so that answers are read in between. */
const attemptsPerStep = 256;
/** How soon an id is looked at again that the transport has not given back yet. */
const inUseAgainNs = 10e6;

const connectTimeout: Failure = { kind: "timeout", detail: "no connection within the timeout" };

/**
 * The connections of a run: opens them by plan (attempt k of the whole load is due k / rate after the
 * start), keeps the open ones in a dense list to choose from, and counts how they end. With a backoff,
 * those that end or fail are opened again; all attempts together keep to the connect rate.
 *
 * `attempted`, `opened`, `failed` and `lost` count attempts and ends, those of a connection that is
 * opened again each time. A connection costs 28 bytes, and 13 more where it can be opened again.
 */
export class ConnectionPool {
  readonly failures = new FailureTally();
  attempted = 0;
  opened = 0;
  failed = 0;
  lost = 0;
  /** Of those lost: nothing was ever answered on them. */
  lostUnused = 0;
  /** Messages that were in flight on those. */
  lostUnusedMessages = 0;
  /** Of those opened, connections that had been open before. */
  reopened = 0;
  /** Closed on purpose: neither lost nor open. */
  recycled = 0;
  /** Connections on which nothing more is sent, and which are still open. */
  leavingCount = 0;
  /** Connections for which `isDown` holds. */
  downCount = 0;

  private readonly list: OpenList;
  private readonly attempts: PendingAttempts;
  private readonly pace: ConnectPace;
  private readonly retries: RetryQueue;
  private readonly state: Uint8Array;
  private readonly purpose: Uint8Array;
  private readonly wasOpen: Uint8Array;
  /** The transport has not told the end of it yet. */
  private readonly isInUse: Uint8Array;
  /** How often in a row it was tried again; where connections can be opened again. */
  private readonly tries: Uint8Array;
  private lastOpenNs = NaN;
  /** First attempts are made in the order of ids. */
  private firstAttempts = 0;
  private firstPending = 0;
  private isRetrysTurn = false;
  private startNs = 0;
  private isOpening = true;

  constructor(
    private readonly settings: PoolSettings,
    private readonly side: ConnectingSide,
    private readonly recorder: LatencyRecorder,
    private readonly events: PoolEvents = noEvents,
  ) {
    const { connections, connectsPerSecond, backoff, recycles } = settings;
    const again = backoff !== undefined || recycles === true ? connections : 0;
    this.list = new OpenList(connections);
    this.attempts = new PendingAttempts(connections);
    this.pace = new ConnectPace(connectsPerSecond, settings.share, settings.step);
    this.retries = new RetryQueue(again);
    this.state = new Uint8Array(connections);
    this.purpose = new Uint8Array(connections);
    this.wasOpen = new Uint8Array(connections);
    this.isInUse = new Uint8Array(connections);
    this.tries = new Uint8Array(again);
  }

  start(atNs: number): void {
    this.startNs = atNs;
    this.pace.start(atNs);
  }

  /** No further connections are opened. */
  stopOpening(): void {
    this.isOpening = false;
  }

  /** When the next attempt is due (clock time); Infinity when none is. */
  get nextAttemptNs(): number {
    if (this.hasUntried) return this.pace.nextNs;
    const dueNs = this.retries.nextDueNs;
    return dueNs === Infinity ? Infinity : Math.max(dueNs, this.pace.nextNs);
  }

  /** Attempts per second that the plan of the whole load asks for, pauses included. */
  get plannedPerSecond(): number {
    return this.pace.plannedPerSecond((this.settings.share ?? this.settings).connections);
  }

  private get hasUntried(): boolean {
    return this.isOpening && this.firstAttempts < this.settings.connections;
  }

  /** The first attempt at every connection was made, and has succeeded or failed. */
  get isSettled(): boolean {
    return !this.hasUntried && this.firstPending === 0;
  }

  /** Connections that messages can be sent on. */
  get openCount(): number {
    return this.list.count;
  }

  /** Whether some connection is open, or is going to be. */
  get hasFuture(): boolean {
    return this.openCount > 0 || this.leavingCount > 0 || this.retries.size > 0 ||
      this.attempts.oldest >= 0 || this.hasUntried;
  }

  /** Sorts the open connections by id: the plan must not depend on which of them opened first. */
  sortOpen(): void {
    this.list.sort();
  }

  /** The open connection at a place of the dense list, `0 ≤ place < openCount`. */
  openAt(place: number): number {
    return this.list.at(place);
  }

  /** Whether messages can be sent on it. */
  isOpen(id: number): boolean {
    return this.state[id]! >= unproven;
  }

  /** Whether it was lost, or failed to open, and is going to be opened again. */
  isDown(id: number): boolean {
    const state = this.state[id]!;
    return (state === waiting || state === connecting) && this.purpose[id] === retry;
  }

  /** Makes the attempts that are due and ends those that take too long. */
  step(atNs: number): void {
    for (let i = 0; i < attemptsPerStep; i++) {
      const { hasUntried, retries } = this;
      const isRetryDue = retries.nextDueNs <= atNs;
      if (!hasUntried) {
        if (!isRetryDue) break;
        this.pace.skipTo(retries.nextDueNs);
      }
      if (this.pace.nextNs > atNs) break;
      // A mass of retries must not put the first attempts off for ever, nor these the retries.
      const isRetry = isRetryDue && (!hasUntried || this.isRetrysTurn);
      this.isRetrysTurn = !isRetry;
      const id = isRetry ? retries.take() : this.firstAttempts++;
      if (this.isInUse[id] === 1) {
        retries.add(id, atNs + inUseAgainNs);
        continue;
      }
      this.pace.use();
      this.attempt(id, isRetry);
    }
    this.expire(atNs);
  }

  private attempt(id: number, isRetry: boolean): void {
    this.attempted++;
    if (!isRetry) this.firstPending++;
    this.isInUse[id] = 1;
    this.attempts.add(id, nowNs());
    this.state[id] = connecting;
    this.side.connect(id);
  }

  private expire(atNs: number): void {
    const limitNs = atNs - this.settings.connectTimeoutNs;
    for (;;) {
      const id = this.attempts.oldest;
      if (id < 0 || this.attempts.madeNs[id]! > limitNs) return;
      this.end(id, connectTimeout, atNs, atNs);
      this.side.terminate(id);
    }
  }

  /**
   * A transport reports an open connection.
   *
   * @returns whether it was awaited.
   */
  markOpen(id: number): boolean {
    if (this.state[id] !== connecting) return false;
    const atNs = nowNs();
    const tookNs = atNs - this.attempts.madeNs[id]!;
    this.attempts.remove(id);
    this.recorder.connect.record(tookNs);
    if (this.wasOpen[id] === 1) this.recorder.reconnect.record(tookNs);
    this.list.add(id);
    if (this.purpose[id] === first) this.firstPending--;
    if (this.purpose[id] === retry) this.downCount--;
    if (this.purpose[id] === retry && this.settings.needsProof) this.state[id] = unproven;
    else this.settleOpen(id, atNs);
    return true;
  }

  /** A connection was answered. */
  prove(id: number): void {
    if (this.state[id] === unproven) this.settleOpen(id, nowNs());
  }

  private settleOpen(id: number, atNs: number): void {
    this.state[id] = open;
    this.opened++;
    if (this.wasOpen[id] === 1) this.reopened++;
    else this.lastOpenNs = atNs;
    this.wasOpen[id] = 1;
    this.events.entered(id);
    if (this.purpose[id] === retry) this.events.back(id, atNs);
  }

  /**
   * A connection has ended, or an attempt has failed.
   *
   * @param sinceNs since when it was of no use; now where it is left out.
   * @returns whether the connection was open before.
   */
  markClosed(id: number, failure: Failure | undefined, sinceNs?: number): boolean {
    this.isInUse[id] = 0;
    const before = this.state[id]!;
    if (before !== connecting && before < leaving) return false;
    const atNs = nowNs();
    this.end(id, failure, atNs, sinceNs ?? atNs);
    return before !== connecting;
  }

  /** A connection that was lost had never brought an answer. */
  countUnused(messagesInFlight: number): void {
    this.lostUnused++;
    this.lostUnusedMessages += messagesInFlight;
  }

  /**
   * Ends an open connection that is of no more use; one that is not open is left alone.
   *
   * @param sinceNs since when, where that was before now.
   */
  abort(id: number, failure: Failure, sinceNs?: number): void {
    if (this.state[id]! < leaving) return;
    const atNs = nowNs();
    this.end(id, failure, atNs, sinceNs ?? atNs);
    this.side.terminate(id);
  }

  /** Sends nothing more on an open connection, which its caller is going to close. */
  retire(id: number): boolean {
    if (this.state[id] !== open) return false;
    this.list.remove(id);
    this.state[id] = leaving;
    this.leavingCount++;
    return true;
  }

  /** Whether it was retired, and is still open. */
  isLeaving(id: number): boolean {
    return this.state[id] === leaving;
  }

  private end(id: number, failure: Failure | undefined, atNs: number, sinceNs: number): void {
    const before = this.state[id]!;
    const isAsked = before === leaving && failure === undefined;
    if (failure !== undefined) this.failures.record(failure, (atNs - this.startNs) / 1e6);
    const wasDown = this.purpose[id] === retry && before !== open && before !== leaving;
    if (before === connecting) {
      this.failed++;
      this.attempts.remove(id);
      if (this.purpose[id] === first) this.firstPending--;
    } else if (before === unproven) {
      this.failed++;
      this.list.remove(id);
    } else {
      if (before === leaving) this.leavingCount--;
      else this.list.remove(id);
      if (isAsked) this.recycled++;
      else this.lost++;
    }
    if (isAsked) this.openAgain(id, recycle, atNs);
    else if (this.settings.backoff === undefined) this.state[id] = ended;
    else {
      if (!(wasDown && before === connecting)) this.downCount++;
      this.tries[id] = this.nextTry(id, before, atNs);
      this.openAgain(id, retry, atNs + this.settings.backoff.waitNs(id, this.tries[id]!));
      if (wasDown) this.events.attemptFailed();
      else this.events.down(id, atNs, sinceNs);
    }
    if (before === open || before === leaving) this.events.left(id);
  }

  private openAgain(id: number, purpose: number, dueNs: number): void {
    this.state[id] = waiting;
    this.purpose[id] = purpose;
    this.retries.add(id, dueNs);
  }

  /** A connection that lasted longer than its last wait may have done begins anew. */
  private nextTry(id: number, before: number, atNs: number): number {
    if (this.purpose[id] !== retry) return 0;
    const tries = this.tries[id]!;
    const lasted = before === open || before === leaving ? atNs - this.attempts.madeNs[id]! : 0;
    return lasted > this.settings.backoff!.ceilingNs(tries) ? 0 : Math.min(tries + 1, 0xff);
  }

  /** From when the first was due to the last open; 0 where none has opened. */
  get openingMs(): number {
    return this.opened > 0 ? Math.max(0, this.lastOpenNs - this.startNs) / 1e6 : 0;
  }

  /** Opens per second in that time; 0 below two connections. */
  get achievedPerSecond(): number {
    const opened = this.opened - this.reopened;
    const seconds = this.openingMs / 1e3;
    return opened > 1 && seconds > 0 ? (opened - 1) / seconds : 0;
  }
}
