import { Backoff } from "../../load/backoff.ts";
import { OutageLog, type OutageSurroundings } from "../../load/outage_log.ts";
import { nowNs } from "../../stats/clock.ts";
import type { Failure } from "../../stats/failure.ts";
import { FailureTally } from "../../stats/failure_tally.ts";
import { IntervalHistogram } from "../../stats/interval_histogram.ts";
import type { OutageReport, ServerSpread } from "../../stats/outage.ts";
import type { ConnectionCounts } from "../../stats/snapshot.ts";
import type { Dict } from "../message/message.ts";
import type { ClientSessions } from "./client_sessions.ts";

/** Told of the life of each session. Times are clock times in nanoseconds. */
export interface KeeperHandlers {
  /** Joined: what the session needs before it is of use (subscriptions, …) is to be sent now. */
  joined(id: number): void;
  /** Of use again (or for the first time), served by that node. */
  ready(id: number, atNs: number, node: string): void;
  /** Was of use and is not any more; `failure` is undefined where it was recycled. */
  lost(id: number, atNs: number, node: string, failure: Failure | undefined): void;
  /** Each session is ready or has failed once. */
  settled(): void;
}

/** How long a session waits before it is tried again. */
const waits = { firstMs: 10, lastMs: 1_000 };
/** Connects in progress at the same time: more would only wait in the router's queue. */
const mostJoining = 64;

const isWaiting = 0;
const isJoining = 1;
const isReady = 2;
/** Closed on purpose, to be opened again. */
const isRecycling = 3;

/**
 * Opens sessions and opens them again for as long as it runs, and knows which node serves each, by the
 * `x_cb_node_id` that a router tells in WELCOME, or its `x_cb_pid`.
 *
 * A session costs 48 bytes.
 */
export class SessionKeeper {
  readonly outages: OutageLog;
  readonly connect = new IntervalHistogram();
  readonly reconnect = new IntervalHistogram();
  readonly #sessions: ClientSessions;
  readonly #handlers: KeeperHandlers;
  readonly #backoff: Backoff;
  readonly #state: Uint8Array;
  /** When the next attempt is due, the present one began, the session was lost. */
  readonly #dueNs: Float64Array;
  readonly #sinceNs: Float64Array;
  readonly #lostNs: Float64Array;
  readonly #tries: Uint32Array;
  readonly #nodeOf: Int16Array;
  readonly #hasOpened: Uint8Array;
  readonly #nodes: string[] = [];
  readonly #failures = new FailureTally();
  readonly #counts = {
    attempted: 0,
    opened: 0,
    open: 0,
    failed: 0,
    lost: 0,
    reopened: 0,
    recycled: 0,
  };
  readonly #isSettled = new Set<number>();
  #joining = 0;
  #unsettled: number;
  #nextDueNs = Infinity;
  #startNs = 0;
  #isStopped = false;
  #lastOpenNs = NaN;

  constructor(
    sessions: ClientSessions,
    readonly capacity: number,
    handlers: KeeperHandlers,
    surroundings: Pick<OutageSurroundings, "counts">,
  ) {
    this.#sessions = sessions;
    this.#handlers = handlers;
    this.#backoff = new Backoff(waits, process.pid);
    this.#state = new Uint8Array(capacity);
    this.#dueNs = new Float64Array(capacity).fill(Infinity);
    this.#sinceNs = new Float64Array(capacity);
    this.#lostNs = new Float64Array(capacity).fill(NaN);
    this.#tries = new Uint32Array(capacity);
    this.#nodeOf = new Int16Array(capacity).fill(-1);
    this.#hasOpened = new Uint8Array(capacity);
    this.#unsettled = capacity;
    this.outages = new OutageLog(capacity, {
      counts: surroundings.counts,
      spread: () => this.spread(),
    });
  }

  /** Begins to open all of them. */
  start(atNs: number): void {
    this.#startNs = atNs;
    this.outages.start(atNs);
    this.#dueNs.fill(atNs);
    this.#nextDueNs = atNs;
  }

  /** Begins the attempts that are due; returns when it wants to be called again (clock time). */
  step(atNs: number): number {
    if (this.#isStopped) return Infinity;
    this.outages.step(atNs);
    if (this.#joining >= mostJoining) return Infinity;
    if (atNs < this.#nextDueNs) return this.#nextDueNs;
    let nextNs = Infinity;
    // Attempts that end at once lower it.
    this.#nextDueNs = Infinity;
    for (let id = 0; id < this.capacity; id++) {
      const dueNs = this.#dueNs[id]!;
      if (dueNs <= atNs && this.#joining < mostJoining) this.#attempt(id, atNs);
      else nextNs = Math.min(nextNs, dueNs);
    }
    return this.#nextDueNs = Math.min(this.#nextDueNs, nextNs);
  }

  #attempt(id: number, atNs: number): void {
    this.#dueNs[id] = Infinity;
    this.#sinceNs[id] = atNs;
    this.#state[id] = isJoining;
    this.#joining++;
    this.#counts.attempted++;
    this.#sessions.connect(id);
  }

  /** WELCOME has come. */
  joined(id: number, details: Dict): void {
    const extra = details["authextra"] as Dict | null | undefined;
    const node = extra?.["x_cb_node_id"] ?? details["x_cb_node_id"] ?? extra?.["x_cb_pid"] ??
      details["x_cb_pid"] ?? "router";
    this.#nodeOf[id] = this.#indexOf(String(node));
    this.#handlers.joined(id);
  }

  #indexOf(node: string): number {
    const known = this.#nodes.indexOf(node);
    return known >= 0 ? known : this.#nodes.push(node) - 1;
  }

  /** What the session needs has been granted. */
  ready(id: number): void {
    if (this.#state[id] !== isJoining) return;
    const atNs = nowNs();
    const counts = this.#counts;
    this.#state[id] = isReady;
    this.#joining--;
    this.#tries[id] = 0;
    counts.opened++;
    counts.open++;
    this.connect.record(atNs - this.#sinceNs[id]!);
    this.#opened(id, atNs);
    this.#handlers.ready(id, atNs, this.#nodes[this.#nodeOf[id]!]!);
    this.#settle(id);
  }

  #opened(id: number, atNs: number): void {
    const lostNs = this.#lostNs[id]!;
    if (this.#hasOpened[id] === 0) this.#lastOpenNs = atNs;
    else this.#counts.reopened++;
    this.#hasOpened[id] = 1;
    if (Number.isNaN(lostNs)) return;
    this.#lostNs[id] = NaN;
    this.reconnect.record(atNs - lostNs);
    this.outages.back(id, atNs);
  }

  /** Closes a session in order, to open it again where the balancer sends it then. */
  recycle(id: number): void {
    if (this.#state[id] !== isReady) return;
    this.#state[id] = isRecycling;
    this.#counts.recycled++;
    this.#sessions.leave(id);
  }

  /** A session has ended, whether it had joined or not. */
  closed(id: number, failure: Failure | undefined): void {
    const atNs = nowNs();
    const state = this.#state[id];
    const node = this.#nodeOf[id]!;
    // Before it is forgotten where it was: an outage begins with how sessions were spread.
    if (state === isReady && !this.#isStopped) this.outages.down(id, atNs, atNs);
    this.#state[id] = isWaiting;
    this.#nodeOf[id] = -1;
    if (this.#isStopped) {
      if (state === isReady || state === isRecycling) this.#counts.open--;
      if (state === isJoining) this.#counts.failed++;
      return;
    }
    if (failure !== undefined) this.#failures.record(failure, (atNs - this.#startNs) / 1e6);
    if (state === isReady) this.#lose(id, atNs, node, failure);
    else if (state === isJoining) this.#fail(id);
    else if (state === isRecycling) this.#handlers.lost(id, atNs, this.#nodes[node]!, undefined);
    if (state === isRecycling) this.#counts.open--;
    const waitNs = this.#backoff.waitNs(id, this.#tries[id]!++);
    this.#dueNs[id] = atNs + (state === isJoining ? waitNs : 0);
    this.#nextDueNs = Math.min(this.#nextDueNs, this.#dueNs[id]!);
  }

  #lose(id: number, atNs: number, node: number, failure: Failure | undefined): void {
    this.#counts.open--;
    this.#counts.lost++;
    this.#lostNs[id] = atNs;
    this.#handlers.lost(id, atNs, this.#nodes[node] ?? "", failure);
  }

  #fail(id: number): void {
    this.#joining--;
    this.#counts.failed++;
    this.outages.attemptFailed();
    this.#settle(id);
  }

  #settle(id: number): void {
    if (this.#unsettled === 0 || this.#isSettled.has(id)) return;
    this.#isSettled.add(id);
    if (--this.#unsettled > 0) return;
    this.#isSettled.clear();
    this.#handlers.settled();
  }

  isReady(id: number): boolean {
    return this.#state[id] === isReady;
  }

  get open(): number {
    return this.#counts.open;
  }

  /** Ready sessions by node. */
  spread(): ServerSpread {
    const spread: ServerSpread = {};
    for (const node of this.#nodes) spread[node] = 0;
    for (let id = 0; id < this.capacity; id++) {
      const node = this.#nodes[this.#nodeOf[id]!];
      if (this.#state[id] === isReady && node !== undefined) spread[node]!++;
    }
    return spread;
  }

  /** The node that serves a session; undefined while it is not ready. */
  nodeOf(id: number): string | undefined {
    return this.#state[id] === isReady ? this.#nodes[this.#nodeOf[id]!] : undefined;
  }

  /** From now on sessions end because the run does. */
  stop(atNs: number): void {
    this.#isStopped = true;
    this.outages.freeze(atNs);
  }

  counts(): ConnectionCounts {
    const openingMs = (this.#lastOpenNs - this.#startNs) / 1e6;
    const first = this.#counts.opened - this.#counts.reopened;
    return {
      requested: this.capacity,
      ...this.#counts,
      failures: this.#failures.counts(),
      requestedPerSecond: 0,
      achievedPerSecond: openingMs > 0 ? first / (openingMs / 1000) : 0,
      ...(Number.isFinite(openingMs) ? { openingMs } : {}),
    };
  }

  outageReport(atNs: number): OutageReport {
    return this.outages.report(atNs);
  }
}
