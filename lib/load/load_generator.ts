import type { Codec } from "../codec/codec.ts";
import { nowNs } from "../stats/clock.ts";
import type { Failure } from "../stats/failure.ts";
import type { ClientHistograms, Phase } from "../stats/snapshot.ts";
import type { ConnectionHandlers, Dialer, TransportTraits } from "../transport/transport.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { LatencyRecorder } from "./latency_recorder.ts";
import { MessageLedger } from "./ledger.ts";
import type { LoadSettings } from "./load_settings.ts";
import { createMessageSource, type MessageSource, noConnection, notDue } from "./message_source.ts";
import type { MessageTrace } from "./message_trace.ts";
import { Pacer } from "./pacer.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { SteadyMeter } from "./steady_meter.ts";
import { unreadableAnswer } from "./unreadable_answer.ts";

/** Messages in one step, so that answers are read in between. */
const messagesPerStep = 16_384;
/** How long after the end of the plan its last messages are still sent, late. */
const catchUpNs = 100e6;
/** How many messages that were never sent are counted one by one; more than that by the schedule. */
const countedOneByOne = 1_000_000;
/** How long answers are awaited after an interrupt. */
const interruptedDrainNs = 1e9;
/** So many connections, and not more, are ended in order, within this time. */
const orderlyEnds = 2000;
const leaveNs = 500e6;
/** Timeouts are noticed this much late at most. */
const longestSleepNs = 50e6;

/** What a generator needs of its surroundings. */
export interface GeneratorSurroundings {
  /** Makes the dialer; called once. */
  dial(handlers: ConnectionHandlers): Promise<Dialer>;
  codecFor(traits: TransportTraits): Codec;
  readonly trace?: MessageTrace;
  /** Called each second and at the end, with the histograms of the time since the last call. */
  second?(interval: ClientHistograms, startNs: number, endNs: number): void;
}

/**
 * Runs one load from the first connection to the last answer: ramp, warm-up, steady phase, drain.
 *
 * The plan is computed, never timed: a message that leaves late keeps its intended time, and the
 * plan is not shifted. All work is done in the pacer's steps and in the transport's callbacks.
 */
export class LoadGenerator implements ConnectionHandlers {
  readonly recorder = new LatencyRecorder();
  readonly ledger: MessageLedger;
  readonly pool: ConnectionPool;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly meter: SteadyMeter;

  phase: Phase = "ramp";
  isInterrupted = false;
  /** Clock times; the later ones are Infinity until they are known. */
  startNs = Infinity;
  steadyStartNs = Infinity;
  steadyEndNs = Infinity;
  doneNs = Infinity;

  private readonly source: MessageSource | undefined;
  private readonly outstanding: number;
  private planStartNs = Infinity;
  private drainEndNs = Infinity;
  private intervalStartNs = 0;
  /** What the first connection brought that was no answer; the failure of all such connections. */
  private unreadable: Failure | undefined;
  /** Connections whose orderly end is awaited. */
  private leaving = 0;
  /** Since when the plan waits for the ledger, which is full; Infinity when it does not. */
  private heldSinceNs = Infinity;
  /** Closed loop: connections lack messages that the ledger had no room for. */
  private isStarved = false;
  private readonly pacer: Pacer;
  private resolve: (() => void) | undefined;

  /**
   * Resolves the target and prepares the run; connects nothing yet.
   *
   * @throws what the transport's `dial` and the codec throw.
   */
  static async create(
    settings: LoadSettings,
    surroundings: GeneratorSurroundings,
  ): Promise<LoadGenerator> {
    // Handlers that are called before there is a generator have nothing to report to.
    // deno-lint-ignore prefer-const
    let generator: LoadGenerator | undefined;
    const dialer = await surroundings.dial({
      open: (id) => generator?.open(id),
      data: (id, bytes) => generator?.data(id, bytes),
      drain: (id) => generator?.drain(id),
      end: (id) => generator?.end(id),
      close: (id, failure) => generator?.close(id, failure),
    });
    generator = new LoadGenerator(settings, dialer, surroundings);
    return generator;
  }

  private constructor(
    readonly settings: LoadSettings,
    private readonly dialer: Dialer,
    private readonly surroundings: GeneratorSurroundings,
  ) {
    const { connections, load } = settings;
    const { framing } = dialer.traits;
    const { trace } = surroundings;
    const codec = surroundings.codecFor(dialer.traits);
    this.codec = codec;
    this.ledger = new MessageLedger({
      connections,
      timeoutNs: settings.replyTimeoutMs * 1e6,
      sequenceBits: codec.sequenceBits,
    });
    this.pool = new ConnectionPool(
      {
        connections,
        connectsPerSecond: settings.connectsPerSecond,
        connectTimeoutNs: settings.connectTimeoutMs * 1e6,
      },
      dialer,
      this.recorder,
    );
    this.sender = new Sender(connections, codec, this.ledger, this.recorder, dialer, trace);
    this.receiver = new Receiver(
      { connections, framing, verify: settings.verify },
      codec,
      this.ledger,
      this.recorder,
      {
        ended: (id) => this.sendNext(id),
        unreadable: (id, bytes, offset) => {
          this.abort(id, this.unreadable ??= unreadableAnswer(bytes, offset));
        },
      },
      trace,
    );
    this.meter = new SteadyMeter(this.sender, this.receiver);
    this.source = createMessageSource(load, connections, settings.seed, this.pool);
    this.outstanding = load.kind === "inflight" ? load.outstanding : 0;
    if (this.outstanding > 0) this.ledger.timedOut = (id) => this.sendNext(id);
    this.pacer = new Pacer((atNs) => this.step(atNs));
  }

  readonly codec: Codec;

  /** Runs the load to its end; an abort of the signal ends it early, with what was measured. */
  async run(signal: AbortSignal): Promise<void> {
    const interrupt = () => this.interrupt();
    signal.addEventListener("abort", interrupt);
    const everySecond = setInterval(() => this.endInterval(), 1000);
    this.startNs = nowNs();
    this.intervalStartNs = this.startNs;
    this.pool.start(this.startNs);
    if (this.settings.load.kind === "interval") this.planStartNs = this.startNs;
    const done = new Promise<void>((resolve) => this.resolve = resolve);
    if (signal.aborted) this.interrupt();
    this.pacer.start();
    await done;
    clearInterval(everySecond);
    signal.removeEventListener("abort", interrupt);
    this.endInterval();
    await this.leave();
    await this.dialer.shutdown();
  }

  /**
   * Ends the connections in order where they are few. Where there are many, `shutdown` resets them:
   * each orderly end holds a port of this host in TIME_WAIT, and a next run would miss it.
   */
  private async leave(): Promise<void> {
    this.leaving = this.pool.openCount;
    if (this.leaving > orderlyEnds) return;
    for (let place = 0; place < this.pool.openCount; place++) {
      this.dialer.close(this.pool.openAt(place));
    }
    const deadlineNs = nowNs() + leaveNs;
    while (this.leaving > 0 && nowNs() < deadlineNs) await Bun.sleep(2);
  }

  open(id: number): void {
    if (this.phase === "done") return;
    this.pool.markOpen(id);
  }

  data(id: number, bytes: Uint8Array): void {
    if (this.phase === "done") return;
    this.receiver.data(id, bytes);
    // In a closed loop the answers have queued the next messages.
    if (this.outstanding > 0) this.sender.flush();
  }

  drain(id: number): void {
    if (this.phase !== "done") this.sender.drain(id);
  }

  /** A peer that has finished sending will answer nothing more. */
  end(id: number): void {
    this.abort(id, { kind: "closed-by-peer", detail: "the target ended the stream" });
  }

  close(id: number, failure: Failure | undefined): void {
    if (this.phase === "done") this.leaving--;
    else if (this.pool.markClosed(id, failure)) this.forget(id);
  }

  private abort(id: number, failure: Failure): void {
    if (this.phase === "done" || !this.pool.isOpen(id)) return;
    this.forget(id);
    this.pool.abort(id, failure);
  }

  private forget(id: number): void {
    this.ledger.closeConnection(id);
    this.sender.forget(id);
    this.receiver.forget(id);
  }

  private step(atNs: number): number {
    if (this.phase !== "drain") this.pool.step(atNs);
    this.ledger.expire(atNs);
    this.advancePhase(atNs);
    if (this.isStarved && !this.ledger.isFull()) this.fillUp();
    const isBehind = this.source !== undefined && this.sendDue(this.source, atNs);
    this.sender.flush();
    return isBehind ? atNs : this.nextDueNs(atNs);
  }

  private nextDueNs(atNs: number): number {
    const isDraining = this.phase === "drain";
    const messageNs = this.source === undefined ? Infinity : this.planStartNs + this.source.nextNs;
    return Math.min(
      isDraining ? Infinity : this.pool.nextAttemptNs,
      isDraining || messageNs >= this.steadyEndNs
        ? Infinity
        : this.ledger.isFull()
        ? atNs + 1e6
        : messageNs,
      this.phase === "warmup" ? this.steadyStartNs : Infinity,
      this.phase === "steady" ? this.steadyEndNs : Infinity,
      atNs + (isDraining || this.phase === "ramp" ? longestSleepNs / 10 : longestSleepNs),
    );
  }

  private advancePhase(atNs: number): void {
    if (this.phase === "ramp" && this.pool.isSettled) this.endRamp(atNs);
    if (this.phase === "warmup" && atNs >= this.steadyStartNs) {
      this.phase = "steady";
      this.meter.start();
    }
    if (this.phase === "warmup" || this.phase === "steady") {
      if (this.pool.openCount === 0) this.cut(atNs);
      if (atNs >= this.steadyEndNs && this.isPlanDone(atNs)) this.beginDrain(atNs);
    }
    if (this.phase === "drain" && (this.ledger.open === 0 || atNs >= this.drainEndNs)) {
      this.finish(atNs);
    }
  }

  private endRamp(atNs: number): void {
    const { warmupMs, durationMs, load } = this.settings;
    this.phase = "warmup";
    this.pool.sortOpen();
    this.steadyStartNs = atNs + warmupMs * 1e6;
    this.steadyEndNs = this.steadyStartNs + durationMs * 1e6;
    if (load.kind !== "interval") this.planStartNs = atNs;
    if (this.outstanding > 0) this.fillUp();
  }

  /** Closed loop: gives every open connection the messages that it lacks. */
  private fillUp(): void {
    this.isStarved = false;
    for (let place = 0; place < this.pool.openCount; place++) {
      const id = this.pool.openAt(place);
      const missing = this.outstanding - this.ledger.openOn(id);
      for (let i = 0; i < missing && !this.isStarved; i++) this.sendNext(id);
    }
  }

  private isPlanDone(atNs: number): boolean {
    return this.source === undefined || atNs >= this.steadyEndNs + catchUpNs ||
      this.planStartNs + this.source.nextNs >= this.steadyEndNs;
  }

  /** Sends what is due. Returns whether more is due than fits into one step. */
  private sendDue(source: MessageSource, atNs: number): boolean {
    if (this.phase === "drain" || this.phase === "done") return false;
    const { ledger } = this;
    for (let i = 0; i < messagesPerStep; i++) {
      const intendedNs = this.planStartNs + source.nextNs;
      if (!(intendedNs <= atNs && intendedNs < this.steadyEndNs)) {
        this.heldSinceNs = Infinity;
        return false;
      }
      if (ledger.isFull()) {
        this.heldSinceNs = Math.min(this.heldSinceNs, atNs);
        return false;
      }
      const { gapNs } = source;
      const isSteady = intendedNs >= this.steadyStartNs;
      const id = source.take();
      if (id >= 0) this.sender.queue(id, intendedNs, gapNs, isSteady, atNs);
      else if (id === noConnection) {
        const counters = isSteady ? ledger.steady : ledger.outside;
        counters.due++;
        counters.unsentNoConnection++;
      }
    }
    return true;
  }

  /** Closed loop: the next message of a connection is due now. */
  private sendNext(id: number): void {
    if (this.outstanding === 0 || !this.pool.isOpen(id)) return;
    const atNs = nowNs();
    if (this.phase !== "warmup" && this.phase !== "steady" || atNs >= this.steadyEndNs) return;
    if (this.ledger.isFull() || this.ledger.isFullOn(id)) {
      this.isStarved = true;
      return;
    }
    this.sender.queue(id, atNs, 0, atNs >= this.steadyStartNs, atNs);
  }

  private interrupt(): void {
    if (this.phase === "done" || this.isInterrupted) return;
    this.isInterrupted = true;
    const atNs = nowNs();
    if (this.phase === "drain") {
      this.drainEndNs = Math.min(this.drainEndNs, atNs + interruptedDrainNs);
      return;
    }
    this.cut(atNs);
    this.beginDrain(atNs);
  }

  /** The steady phase is over now, whatever was planned. */
  private cut(atNs: number): void {
    this.steadyStartNs = Math.min(this.steadyStartNs, atNs);
    this.steadyEndNs = Math.min(this.steadyEndNs, atNs);
  }

  private beginDrain(atNs: number): void {
    this.countUnsent();
    this.phase = "drain";
    this.meter.end();
    const drainNs = this.settings.drainMs * 1e6;
    this.drainEndNs = atNs +
      (this.isInterrupted ? Math.min(drainNs, interruptedDrainNs) : drainNs);
  }

  /**
   * Counts the messages of the plan that were due and that nobody got to. Those that fell due while
   * the ledger was full of messages that the target owes an answer were held back by the target;
   * with those before that the generator was late.
   */
  private countUnsent(): void {
    const { source, ledger, planStartNs } = this;
    if (source === undefined || planStartNs === Infinity) return;
    const endNs = this.steadyEndNs - planStartNs;
    const steadyNs = Math.min(this.steadyStartNs - planStartNs, endNs);
    const heldNs = Math.min(this.heldSinceNs - planStartNs, endNs);
    let fromNs = 0;
    for (const toNs of [Math.min(steadyNs, heldNs), Math.max(steadyNs, heldNs), endNs]) {
      const counters = toNs <= steadyNs ? ledger.outside : ledger.steady;
      const count = countPlanned(source, fromNs, toNs);
      counters.due += count;
      if (toNs <= heldNs) counters.unsentGeneratorLate += count;
      else counters.unsentHeldBack += count;
      fromNs = toNs;
    }
  }

  private finish(atNs: number): void {
    this.pacer.stop();
    this.phase = "done";
    this.doneNs = atNs;
    this.ledger.closeAll();
    this.resolve?.();
  }

  private endInterval(): void {
    const endNs = nowNs();
    const interval = this.recorder.swap();
    this.surroundings.second?.(interval, this.intervalStartNs, endNs);
    this.intervalStartNs = endNs;
  }
}

/**
 * How many messages are left of a part of a plan. They are taken one by one while they are few; then
 * the source stays behind, and the later parts are counted by the schedule alone.
 */
function countPlanned(source: MessageSource, fromNs: number, toNs: number): number {
  if (source.nextNs < fromNs) return Math.round(source.expectedCount(fromNs, toNs));
  let count = 0;
  while (source.nextNs < toNs && count < countedOneByOne) {
    if (source.take() !== notDue) count++;
  }
  return count + Math.round(source.expectedCount(Math.min(source.nextNs, toNs), toNs));
}
