import { Pacer } from "../../load/pacer.ts";
import { nowNs } from "../../stats/clock.ts";
import type { Histogram } from "../../stats/histogram.ts";
import { type RunIdentity, schemaVersion } from "../../stats/snapshot.ts";
import { codes } from "../message/codes.ts";
import type { Failure } from "../../stats/failure.ts";
import { subprotocolOf } from "../serialization/subprotocol.ts";
import { ClientSessions } from "../session/client_sessions.ts";
import { SessionKeeper } from "../session/session_keeper.ts";
import { formatClientUrl } from "../transport/client_url.ts";
import type { PublisherReceipts, PublisherTotal } from "./counter_book.ts";
import { type ProbePlan, publishersOf, sessionsOf, topic } from "./plan.ts";
import { ProbeLoad } from "./probe_load.ts";
import type { ProbeHistograms, ProbePhase, ProbeSnapshot } from "./snapshot.ts";
import { SteadyUsage } from "./steady_usage.ts";

/** Told of what happens to sessions, and of each second; all optional. Times are clock times. */
export interface ProbeObserver {
  /** Every session is subscribed, or has failed once; the plan then waits for `begin`. */
  settled(): void;
  /** The plan is over and has all its answers: the totals of this process. */
  published(totals: PublisherTotal[]): void;
  /** `interval`: histograms of the time since the last call; valid during the call only. */
  second(interval: ProbeHistograms, snapshot: ProbeSnapshot): void;
  /** The plan begins, at this time; it is over. */
  began?(atNs: number): void;
  ended?(): void;
  sessionLost?(id: number, atNs: number, node: string, failure: Failure | undefined): void;
  sessionBack?(id: number, atNs: number, node: string): void;
}

const joinTimeoutMs = 10_000;
const expireMs = 100;
/** For so long after the end of the plan the probe may catch up. */
const graceNs = 1e9;
/** How often it is looked whether every event has come. */
const drainLookMs = 20;

/** The part of a probe that this process carries out. */
export class LocalProbe {
  readonly keeper: SessionKeeper;
  readonly sessions: ClientSessions;
  readonly load: ProbeLoad;
  readonly #plan: ProbePlan;
  readonly #run: RunIdentity;
  readonly #observer: ProbeObserver;
  readonly #pacer: Pacer;
  readonly #subscribing: Float64Array;
  readonly #over = Promise.withResolvers<void>();
  #phase: ProbePhase = "ramp";
  #startNs = NaN;
  #beginNs = NaN;
  #endNs = NaN;
  #doneNs = NaN;
  #nextSecondNs = Infinity;
  #nextExpiryNs = 0;
  #drainUntilNs = Infinity;
  #nextLookNs = 0;
  #totals: readonly PublisherTotal[] | undefined;
  #hasPublished = false;
  #isInterrupted = false;
  #isAwake = false;
  readonly #usage = new SteadyUsage();
  /** By publisher of all processes; known when the run is over. */
  receipts: PublisherReceipts[] = [];
  #final: Omit<ProbeSnapshot, "histograms"> | undefined;

  /**
   * Resolves the routers and prepares the run; connects nothing yet.
   *
   * @throws {TargetUnreachableError} a host does not resolve.
   */
  static async create(
    plan: ProbePlan,
    run: RunIdentity,
    observer: ProbeObserver,
  ): Promise<LocalProbe> {
    const load = new ProbeLoad(plan, {
      isReady: (session) => probe.keeper.isReady(session),
      wakeUp: () => probe.#wakeUp(),
    });
    const sessions: ClientSessions = await ClientSessions.open(
      {
        ...plan,
        capacity: sessionsOf(plan),
        subprotocol: subprotocolOf(plan.serializer, plan.isBatched),
        joinTimeoutMs,
      },
      {
        joined: (id, details) => probe.keeper.joined(id, details),
        raw: (id, bytes) => load.raw(id, bytes),
        message(id, message) {
          if (message[0] === codes.subscribed && message[1] === probe.#subscribing[id]) {
            probe.keeper.ready(id);
          } else if (message[0] === codes.error && message[1] === codes.subscribe) {
            sessions.terminate(id);
          } else {
            load.message(id, message);
          }
        },
        closed: (id, failure) => probe.keeper.closed(id, failure),
      },
    );
    load.attach(sessions);
    const probe: LocalProbe = new LocalProbe(plan, run, observer, sessions, load);
    return probe;
  }

  private constructor(
    plan: ProbePlan,
    run: RunIdentity,
    observer: ProbeObserver,
    sessions: ClientSessions,
    load: ProbeLoad,
  ) {
    this.#plan = plan;
    this.#run = run;
    this.#observer = observer;
    this.sessions = sessions;
    this.load = load;
    this.#subscribing = new Float64Array(sessionsOf(plan));
    this.#pacer = new Pacer((atNs) => this.#step(atNs));
    this.keeper = new SessionKeeper(sessions, sessionsOf(plan), {
      joined: (id) => this.#subscribe(id),
      ready: (id, atNs, node) => {
        load.back(id);
        observer.sessionBack?.(id, atNs, node);
      },
      lost: (id, atNs, node, failure) => {
        load.lost(id);
        observer.sessionLost?.(id, atNs, node, failure);
      },
      settled: () => observer.settled(),
    }, {
      counts: () => ({
        unsent: load.requests.publications.noConnection,
        duplicated: load.book.totals.duplicated,
        late: load.requests.publications.late,
      }),
    });
  }

  #subscribe(id: number): void {
    const request = this.#subscribing[id] = this.sessions.nextRequest(id);
    this.sessions.send(id, [codes.subscribe, request, { match: "exact" }, topic]);
  }

  /** Runs to its end; an abort ends it early, with what was measured. */
  async run(signal: AbortSignal, startNs = nowNs()): Promise<void> {
    const waitMs = (startNs - nowNs()) / 1e6;
    if (waitMs > 0 && !signal.aborted) await Bun.sleep(waitMs);
    const interrupt = () => this.#interrupt();
    signal.addEventListener("abort", interrupt);
    this.#startNs = startNs;
    this.#nextSecondNs = startNs + 1e9;
    this.keeper.start(startNs);
    this.#pacer.start();
    if (signal.aborted) interrupt();
    await this.#over.promise;
    signal.removeEventListener("abort", interrupt);
    this.#pacer.stop();
    await this.#leave();
  }

  /** The plan begins then (clock time). */
  begin(atNs: number): void {
    if (this.#phase !== "ramp") return;
    this.#phase = "steady";
    this.#beginNs = atNs;
    this.#usage.begin();
    this.load.begin(atNs);
    this.#observer.began?.(atNs);
    this.#wakeUp();
  }

  /** Ends the plan now, in order: drain, then done. */
  finish(): void {
    const atNs = nowNs();
    if (this.#phase === "ramp") this.#done(atNs);
    else if (this.#phase === "steady") this.#drain(atNs);
  }

  /** What all processes have published: when every event of that has come, the run is over. */
  awaitEvents(totals: readonly PublisherTotal[]): void {
    this.#totals = totals;
    this.#drainUntilNs = nowNs() + (this.#isInterrupted ? 0 : this.#plan.timeoutMs * 1e6);
  }

  #interrupt(): void {
    this.#isInterrupted = true;
    this.finish();
  }

  /** `step` is due now, in a turn of the event loop of its own. */
  #wakeUp(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    setImmediate(() => {
      this.#isAwake = false;
      if (this.#phase !== "done") this.#step(nowNs());
    });
  }

  #step(atNs: number): number {
    let nextNs = Math.min(this.keeper.step(atNs), this.#nextSecondNs);
    if (this.#phase === "steady") {
      const dueNs = this.load.step(atNs);
      const isOver = atNs >= this.#plannedEndNs;
      // What was due before the end still goes out, a little late.
      if (isOver && (dueNs > atNs || atNs >= this.#plannedEndNs + graceNs)) this.#drain(atNs);
      else nextNs = Math.min(nextNs, dueNs, isOver ? dueNs : this.#plannedEndNs);
    }
    if (this.#phase === "drain") nextNs = Math.min(nextNs, this.#drained(atNs));
    if (atNs >= this.#nextExpiryNs) {
      this.load.requests.expire(atNs);
      this.#nextExpiryNs = atNs + expireMs * 1e6;
    }
    if (atNs >= this.#nextSecondNs) {
      this.#nextSecondNs += Math.max(1, Math.floor((atNs - this.#nextSecondNs) / 1e9) + 1) * 1e9;
      this.#second();
    }
    return Math.min(nextNs, this.#nextExpiryNs);
  }

  get #plannedEndNs(): number {
    return this.#beginNs + this.#plan.durationMs * 1e6;
  }

  #drain(atNs: number): void {
    this.#phase = "drain";
    this.#observer.ended?.();
    this.#endNs = Math.min(atNs, this.#plannedEndNs);
    this.#usage.end();
    this.load.end(this.#endNs);
    this.#wakeUp();
  }

  /** First the answers of this process are awaited, then the events of all. */
  #drained(atNs: number): number {
    if (atNs < this.#nextLookNs) return this.#nextLookNs;
    this.#nextLookNs = atNs + drainLookMs * 1e6;
    if (this.#isInterrupted) this.load.requests.giveUpAll();
    if (!this.#hasPublished && this.load.requests.inFlight === 0) {
      this.#hasPublished = true;
      this.#observer.published(this.load.totals());
    }
    const totals = this.#totals;
    if (totals === undefined) return this.#nextLookNs;
    if (!this.load.book.isComplete(totals) && atNs < this.#drainUntilNs) return this.#nextLookNs;
    this.receipts = this.load.book.settle(totals);
    this.#done(atNs);
    return Infinity;
  }

  #done(atNs: number): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.load.requests.giveUpAll();
    this.keeper.stop(atNs);
    this.#doneNs = atNs;
    this.#second();
    this.#final = this.snapshotOf();
    this.#over.resolve();
  }

  async #leave(): Promise<void> {
    for (let id = 0; id < this.keeper.capacity; id++) this.sessions.leave(id);
    const untilMs = performance.now() + 1_000;
    while (this.keeper.open > 0 && performance.now() < untilMs) await Bun.sleep(5);
    await this.sessions.shutdown();
  }

  #second(): void {
    const { load, keeper } = this;
    const interval: ProbeHistograms = {
      acknowledgement: load.requests.acknowledgement.swap(),
      call: load.requests.call.swap(),
      delivery: load.delivery.swap(),
      lateness: load.lateness.swap(),
      connect: keeper.connect.swap(),
      reconnect: keeper.reconnect.swap(),
    };
    this.#observer.second(interval, this.snapshot());
  }

  snapshot(): ProbeSnapshot {
    return { ...this.snapshotOf(), histograms: this.#histograms() };
  }

  #histograms(): ProbeHistograms {
    const { load, keeper } = this;
    const total = (histogram: { total(): Histogram }) => histogram.total();
    return {
      acknowledgement: total(load.requests.acknowledgement),
      call: total(load.requests.call),
      delivery: total(load.delivery),
      lateness: total(load.lateness),
      connect: total(keeper.connect),
      reconnect: total(keeper.reconnect),
    };
  }

  /** The same without histograms, which take a while to add up. After the run: as it ended. */
  snapshotOf(): Omit<ProbeSnapshot, "histograms"> {
    if (this.#final !== undefined) return this.#final;
    const plan = this.#plan;
    const { load, keeper } = this;
    const atNs = Number.isNaN(this.#doneNs) ? nowNs() : this.#doneNs;
    const steadyMs = this.#steadyMs(atNs);
    const { received, ...counts } = load.book.totals;
    return {
      schemaVersion,
      role: "wamp-probe",
      run: this.#run,
      urls: plan.urls.map(formatClientUrl),
      realm: plan.realm,
      subprotocol: subprotocolOf(plan.serializer, plan.isBatched).name,
      logname: plan.logname,
      payloadBytes: plan.payloadBytes,
      isOpenLoop: plan.isOpenLoop,
      clients: 1,
      publishers: publishersOf(plan),
      procedures: plan.procedures,
      phase: this.#phase,
      elapsedMs: Number.isNaN(this.#startNs) ? 0 : (atNs - this.#startNs) / 1e6,
      steadyMs,
      steadyPlannedMs: plan.durationMs,
      interrupted: this.#isInterrupted,
      sessions: keeper.counts(),
      publications: { ...load.requests.publications },
      calls: { ...load.requests.calls },
      errors: { ...load.requests.errors },
      events: {
        ...load.events,
        unique: received,
        ...counts,
        missing: load.book.missing,
        lost: this.receipts.reduce((sum, { lost }) => sum + lost, 0),
        ...(this.receipts.length > 0
          ? { missedAway: this.receipts.reduce((sum, { missedAway }) => sum + missedAway, 0) }
          : {}),
      },
      requestedRate: publishersOf(plan) * plan.ratePerSecond * plan.stride,
      achievedRate: steadyMs > 0 ? load.requests.publications.sent / (steadyMs / 1000) : 0,
      bytes: { ...load.bytes },
      publisherRows: [],
      nodes: keeper.spread(),
      outages: keeper.outageReport(atNs),
      usage: this.#usage.read(steadyMs / 1000),
      ends: [],
      verdict: undefined,
    };
  }

  #steadyMs(atNs: number): number {
    if (Number.isNaN(this.#beginNs)) return 0;
    const untilNs = Number.isNaN(this.#endNs) ? atNs : this.#endNs;
    return Math.max(0, untilNs - this.#beginNs) / 1e6;
  }
}
