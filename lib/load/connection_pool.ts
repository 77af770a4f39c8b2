import { nowNs } from "../stats/clock.ts";
import type { Failure } from "../stats/failure.ts";
import { FailureTally } from "../stats/failure_tally.ts";
import type { LatencyRecorder } from "./latency_recorder.ts";
import { type Share, wholeOf } from "./share.ts";

// 0: not tried yet.
const connecting = 1;
const open = 2;
const ended = 3;

/** Attempts in one step, so that answers are read in between. */
const attemptsPerStep = 256;

const connectTimeout: Failure = { kind: "timeout", detail: "no connection within the timeout" };

export interface PoolSettings {
  readonly connections: number;
  /** Of the whole load. */
  readonly connectsPerSecond: number;
  readonly connectTimeoutNs: number;
  /** Which part of the load the connections are; all where it is left out. */
  readonly share?: Share;
  /** After each so many attempts there is a pause; left out: never. */
  readonly step?: { readonly connections: number; readonly holdNs: number };
}

/** The part of a transport's dialer that the pool needs. */
export interface ConnectingSide {
  connect(id: number): void;
  terminate(id: number): void;
}

/**
 * The connections of a run: opens them by plan (attempt k of the whole load is due k / rate after the start), keeps
 * the open ones in a dense list to choose from, and counts how they end.
 *
 * A connection costs 17 bytes.
 */
export class ConnectionPool {
  readonly failures = new FailureTally();
  attempted = 0;
  opened = 0;
  failed = 0;
  lost = 0;
  /** Of those lost: nothing was ever answered on them. */
  lostUnused = 0;
  openCount = 0;

  private readonly state: Uint8Array;
  private readonly attemptNs: Float64Array;
  /** Open connections in no particular order, and where each one stands in that list. */
  private readonly openIds: Int32Array;
  private readonly placeOf: Int32Array;
  private lastOpenNs = NaN;
  /** Attempts are made in the order of ids: everything below has been settled. */
  private oldestPending = 0;
  private startNs = 0;
  private isOpening = true;
  private readonly share: Share;

  constructor(
    private readonly settings: PoolSettings,
    private readonly side: ConnectingSide,
    private readonly recorder: LatencyRecorder,
  ) {
    const { connections } = settings;
    this.share = settings.share ?? wholeOf(connections);
    this.state = new Uint8Array(connections);
    this.attemptNs = new Float64Array(connections);
    this.openIds = new Int32Array(connections);
    this.placeOf = new Int32Array(connections);
  }

  start(atNs: number): void {
    this.startNs = atNs;
  }

  /** No further attempts are made. */
  stopOpening(): void {
    this.isOpening = false;
  }

  /** When the next attempt is due (clock time); Infinity when all were made. */
  get nextAttemptNs(): number {
    if (this.attempted >= this.settings.connections || !this.isOpening) return Infinity;
    const { index, of } = this.share;
    return this.startNs + this.plannedNs(index + this.attempted * of);
  }

  /** When attempt k of the whole load is due, ns after the start. */
  private plannedNs(k: number): number {
    const { connectsPerSecond, step } = this.settings;
    const pausesNs = step === undefined ? 0 : Math.floor(k / step.connections) * step.holdNs;
    return k * 1e9 / connectsPerSecond + pausesNs;
  }

  /** Attempts per second that the plan of the whole load asks for, pauses included. */
  get plannedPerSecond(): number {
    const { connectsPerSecond, step } = this.settings;
    const last = this.share.connections - 1;
    if (step === undefined || last === 0) return connectsPerSecond;
    return last * 1e9 / this.plannedNs(last);
  }

  /** Every attempt was made and has succeeded or failed. */
  get isSettled(): boolean {
    return (this.attempted === this.settings.connections || !this.isOpening) &&
      this.opened + this.failed === this.attempted;
  }

  /** Sorts the open connections by id: the plan must not depend on which of them opened first. */
  sortOpen(): void {
    this.openIds.subarray(0, this.openCount).sort();
    for (let place = 0; place < this.openCount; place++) this.placeOf[this.openIds[place]!] = place;
  }

  /** The open connection at a place of the dense list, `0 ≤ place < openCount`. */
  openAt(place: number): number {
    return this.openIds[place]!;
  }

  isOpen(id: number): boolean {
    return this.state[id] === open;
  }

  /** Makes the attempts that are due and ends those that take too long. */
  step(atNs: number): void {
    for (let i = 0; i < attemptsPerStep && this.nextAttemptNs <= atNs; i++) {
      const id = this.attempted++;
      const startedNs = nowNs();
      this.attemptNs[id] = startedNs;
      this.state[id] = connecting;
      this.side.connect(id);
    }
    this.expire(atNs);
  }

  private expire(atNs: number): void {
    const limitNs = atNs - this.settings.connectTimeoutNs;
    while (this.oldestPending < this.attempted) {
      const id = this.oldestPending;
      if (this.state[id] === connecting) {
        if (this.attemptNs[id]! > limitNs) return;
        this.state[id] = ended;
        this.failed++;
        this.tally(connectTimeout, atNs);
        this.side.terminate(id);
      }
      this.oldestPending++;
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
    this.state[id] = open;
    this.opened++;
    this.lastOpenNs = atNs;
    this.recorder.connect.record(atNs - this.attemptNs[id]!);
    this.placeOf[id] = this.openCount;
    this.openIds[this.openCount++] = id;
    return true;
  }

  /**
   * A connection has ended, or an attempt has failed.
   *
   * @returns whether the connection was open before.
   */
  markClosed(id: number, failure: Failure | undefined): boolean {
    const before = this.state[id];
    if (before !== connecting && before !== open) return false;
    this.state[id] = ended;
    if (before === connecting) this.failed++;
    else {
      this.removeOpen(id);
      this.lost++;
    }
    if (failure !== undefined) this.tally(failure, nowNs());
    return before === open;
  }

  /** Ends an open connection that is of no more use. */
  abort(id: number, failure: Failure): void {
    if (this.markClosed(id, failure)) this.side.terminate(id);
  }

  private removeOpen(id: number): void {
    const place = this.placeOf[id]!;
    const moved = this.openIds[--this.openCount]!;
    this.openIds[place] = moved;
    this.placeOf[moved] = place;
  }

  private tally(failure: Failure, atNs: number): void {
    this.failures.record(failure, (atNs - this.startNs) / 1e6);
  }

  /** From when the first was due to the last open; 0 where none has opened. */
  get openingMs(): number {
    return this.opened > 0 ? Math.max(0, this.lastOpenNs - this.startNs) / 1e6 : 0;
  }

  /** Opens per second in that time; 0 below two connections. */
  get achievedPerSecond(): number {
    const seconds = this.openingMs / 1e3;
    return this.opened > 1 && seconds > 0 ? (this.opened - 1) / seconds : 0;
  }
}
