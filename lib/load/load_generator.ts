import type { Codec } from "../codec/codec.ts";
import { nowNs } from "../stats/clock.ts";
import type { Failure } from "../stats/failure.ts";
import type { ClientHistograms } from "../stats/snapshot.ts";
import type { ConnectionHandlers, Dialer, TransportTraits } from "../transport/transport.ts";
import { ClosedLoop } from "./closed_loop.ts";
import { ConnectionEnds } from "./connection_ends.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { ConnectionUpkeep, silent } from "./connection_upkeep.ts";
import { Identifier } from "./identifier.ts";
import { LatencyRecorder } from "./latency_recorder.ts";
import { MessageLedger } from "./ledger.ts";
import { holding, type LoadLoop } from "./load_loop.ts";
import type { LoadSettings } from "./load_settings.ts";
import { createMessageSource } from "./message_source.ts";
import type { MessageTrace } from "./message_trace.ts";
import { OpenLoop } from "./open_loop.ts";
import { Pacer } from "./pacer.ts";
import type { PoolSettings } from "./pool_settings.ts";
import { Receiver, type ReceiverEvents } from "./receiver.ts";
import { RunTimes } from "./run_times.ts";
import { Sender } from "./sender.ts";
import { SteadyMeter } from "./steady_meter.ts";
import { unreadableAnswer } from "./unreadable_answer.ts";

/** So many connections, and not more, are ended in order, within this time. */
const orderlyEnds = 2000;
const leaveNs = 500e6;
/** Timeouts are noticed this much late at most; ends of the ramp and of the drain much earlier. */
const longestSleepNs = 50e6;
const shortSleepNs = 5e6;

function stepOf({ ramp }: LoadSettings): Pick<PoolSettings, "step"> {
  if (ramp?.step === undefined) return {};
  const { connections, holdMs } = ramp.step;
  return { step: { connections, holdNs: holdMs * 1e6 } };
}

/** What a generator needs of its surroundings. */
export interface GeneratorSurroundings {
  /** Makes the dialer; called once. */
  dial(handlers: ConnectionHandlers): Promise<Dialer>;
  codecFor(traits: TransportTraits): Codec;
  readonly trace?: MessageTrace;
  /** Called each second and at the end, with the histograms of the time since the last call. */
  second?(interval: ClientHistograms, startNs: number, endNs: number): void;
  /**
   * Every connection is open or has failed: called once. Where it is there, the plan begins when
   * `begin` is called, and otherwise at once.
   */
  settled?(): void;
}

/**
 * Runs one load from the first connection to the last answer: ramp, warm-up, steady phase, drain.
 * All work is done in the pacer's steps and in the transport's callbacks.
 */
export class LoadGenerator implements ConnectionHandlers {
  readonly recorder = new LatencyRecorder();
  readonly ledger: MessageLedger;
  readonly pool: ConnectionPool;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly meter: SteadyMeter;
  readonly upkeep: ConnectionUpkeep;

  readonly times = new RunTimes();
  readonly codec: Codec;

  private readonly ends = new ConnectionEnds(this);
  private readonly loop: LoadLoop;
  private intervalStartNs = 0;
  private isSettled = false;
  /** When the plan begins (clock time); Infinity until it is known. */
  private beginNs = Infinity;
  /** What the first connection brought that was no answer; the failure of all such connections. */
  private unreadable: Failure | undefined;
  /** Connections whose orderly end is awaited. */
  private leaving = 0;
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
    const handlers: ConnectionHandlers = {
      open: (id) => generator?.open(id),
      data: (id, bytes) => generator?.data(id, bytes),
      drain: (id) => generator?.drain(id),
      end: (id) => generator?.end(id),
      close: (id, failure) => generator?.close(id, failure),
    };
    const identifier = settings.identify
      ? new Identifier(settings.connections, handlers)
      : undefined;
    const dialer = await surroundings.dial(identifier?.below ?? handlers);
    generator = new LoadGenerator(settings, identifier?.attach(dialer) ?? dialer, surroundings);
    return generator;
  }

  private constructor(
    readonly settings: LoadSettings,
    private readonly dialer: Dialer,
    private readonly surroundings: GeneratorSurroundings,
  ) {
    const { connections } = settings;
    const { framing } = dialer.traits;
    const { trace } = surroundings;
    const codec = surroundings.codecFor(dialer.traits);
    this.codec = codec;
    this.ledger = new MessageLedger({
      connections,
      timeoutNs: settings.replyTimeoutMs * 1e6,
      sequenceBits: codec.sequenceBits,
    });
    this.upkeep = new ConnectionUpkeep(settings, dialer, this);
    this.pool = new ConnectionPool(
      {
        connections,
        connectsPerSecond: settings.connectsPerSecond,
        connectTimeoutNs: settings.connectTimeoutMs * 1e6,
        ...(settings.share === undefined ? {} : { share: settings.share }),
        ...stepOf(settings),
        ...this.upkeep.reopenSettings(),
      },
      dialer,
      this.recorder,
      this.upkeep,
    );
    this.sender = new Sender(connections, codec, this.ledger, this.recorder, dialer, trace);
    this.receiver = new Receiver(
      { connections, framing, verify: settings.verify },
      codec,
      this.ledger,
      this.recorder,
      this.receiverEvents(),
      trace,
    );
    this.meter = new SteadyMeter(this.sender, this.receiver);
    this.loop = this.createLoop();
    this.ledger.timedOut = (id, sequence) => this.messageTimedOut(id, sequence);
    this.pacer = new Pacer((atNs) => this.step(atNs));
  }

  private receiverEvents(): ReceiverEvents {
    const unreadable: ReceiverEvents["unreadable"] = (id, bytes, offset) => {
      this.abort(id, this.unreadable ??= unreadableAnswer(bytes, offset));
    };
    if (!this.upkeep.needsProof) return { ended: (id) => this.loop.messageEnded(id), unreadable };
    const ended = (id: number) => {
      this.pool.prove(id);
      this.loop.messageEnded(id);
    };
    return { ended, unreadable };
  }

  private createLoop(): LoadLoop {
    const { pool, ledger, sender, times } = this;
    const { load, connections, seed, share } = this.settings;
    if (load.kind === "none") return holding;
    if (load.kind === "inflight") {
      return new ClosedLoop(load.outstanding, pool, ledger, sender, times);
    }
    const source = createMessageSource(load, connections, seed, pool, share);
    return new OpenLoop(source, ledger, sender, times, load.kind === "interval");
  }

  /**
   * Runs the load to its end; an abort of the signal ends it early, with what was measured.
   *
   * @param startNs when the first connect is due (clock time); now where it is left out.
   */
  async run(signal: AbortSignal, startNs = nowNs()): Promise<void> {
    const interrupt = () => this.interrupt();
    signal.addEventListener("abort", interrupt);
    const everySecond = setInterval(() => this.endInterval(), 1000);
    this.times.startNs = startNs;
    this.intervalStartNs = startNs;
    if (this.settings.ramp !== undefined) {
      this.times.measureRamp();
      this.meter.start();
    }
    this.pool.start(startNs);
    this.upkeep.start(startNs);
    this.loop.start(startNs);
    if (this.settings.measuresRamp === true) this.beginPlan(startNs);
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
    this.leaving = this.pool.openCount + this.pool.leavingCount;
    if (this.leaving > orderlyEnds) return;
    for (let id = 0; this.pool.leavingCount > 0 && id < this.settings.connections; id++) {
      if (this.pool.isLeaving(id)) this.dialer.close(id);
    }
    for (let place = 0; place < this.pool.openCount; place++) {
      this.dialer.close(this.pool.openAt(place));
    }
    const deadlineNs = nowNs() + leaveNs;
    while (this.leaving > 0 && nowNs() < deadlineNs) await Bun.sleep(2);
  }

  open(id: number): void {
    if (this.times.phase === "done") return;
    if (!this.pool.markOpen(id) || !this.times.isSending) return;
    this.loop.opened(id);
    this.sender.flush();
  }

  data(id: number, bytes: Uint8Array): void {
    if (this.times.phase === "done") return;
    this.receiver.data(id, bytes);
    // In a closed loop the answers have queued the next messages.
    this.sender.flush();
  }

  drain(id: number): void {
    if (this.times.phase !== "done") this.sender.drain(id);
  }

  /** A peer that has finished sending will answer nothing more. */
  end(id: number): void {
    this.abort(id, { kind: "closed-by-peer", detail: "the target ended the stream" });
  }

  close(id: number, failure: Failure | undefined): void {
    if (this.times.phase === "done") this.leaving--;
    else this.ends.closed(id, failure);
  }

  private abort(id: number, failure: Failure): void {
    if (this.times.phase !== "done") this.ends.abort(id, failure);
  }

  private messageTimedOut(id: number, sequence: number): void {
    const intendedNs = this.ledger.intendedNs[this.ledger.slotOf(sequence)]!;
    if (this.upkeep.isSilent(id, sequence, intendedNs)) this.abort(id, silent);
    else this.loop.messageEnded(id);
  }

  private step(atNs: number): number {
    const { phase } = this.times;
    if (phase !== "drain") this.pool.step(atNs);
    this.ledger.expire(atNs);
    this.upkeep.step(atNs, this.times.isSending && atNs < this.times.steadyEndNs);
    this.advancePhase(atNs);
    const isBehind = this.times.isPlanning && this.loop.sendDue(atNs);
    this.sender.flush();
    return isBehind ? atNs : this.nextDueNs(atNs);
  }

  private nextDueNs(atNs: number): number {
    const { phase, steadyStartNs, steadyEndNs } = this.times;
    if (phase === "drain") return atNs + shortSleepNs;
    return Math.min(
      this.pool.nextAttemptNs,
      this.loop.nextDueNs(atNs),
      phase === "ramp" ? this.beginNs : Infinity,
      this.upkeep.nextDueNs(atNs),
      phase === "warmup" ? steadyStartNs : Infinity,
      phase === "steady" ? steadyEndNs : Infinity,
      atNs + (phase === "ramp" ? shortSleepNs : longestSleepNs),
    );
  }

  private advancePhase(atNs: number): void {
    const { times } = this;
    if (times.phase === "ramp" && !this.isSettled && this.pool.isSettled) this.settle(atNs);
    if (times.phase === "ramp" && atNs >= this.beginNs) this.beginPlan(this.beginNs);
    if (times.phase === "warmup" && atNs >= times.steadyStartNs) {
      times.phase = "steady";
      this.meter.start();
    }
    if (times.isSending) {
      if (!this.pool.hasFuture) times.cut(atNs);
      if (atNs >= times.steadyEndNs && this.loop.isDone(atNs)) this.beginDrain(atNs);
    }
    if (times.phase === "drain" && (this.ledger.open === 0 || times.isDrainOver(atNs))) {
      this.stop(atNs);
    }
  }

  private settle(atNs: number): void {
    this.isSettled = true;
    if (this.surroundings.settled === undefined) this.beginNs = atNs;
    else this.surroundings.settled();
  }

  /** The plan begins then (clock time), now that other generators have opened their connections. */
  begin(atNs: number): void {
    this.beginNs = atNs;
  }

  private beginPlan(atNs: number): void {
    this.pool.sortOpen();
    this.times.endRamp(atNs, this.settings.warmupMs, this.settings.durationMs);
    this.loop.begin(atNs);
    this.upkeep.begin(atNs);
  }

  /** Ends the ramp or the steady phase now, in order: the last answers are awaited. */
  finish(): void {
    const { times } = this;
    const atNs = nowNs();
    this.pool.stopOpening();
    if (times.phase === "ramp" && this.settings.ramp !== undefined) {
      // Measured already: it ends as a steady phase does.
      times.phase = "steady";
      times.cut(atNs);
    } else if (times.phase === "ramp") {
      times.cut(atNs);
      this.beginDrain(atNs);
    } else if (times.isSending) {
      // The next step sends what is due until now, and ends the phase.
      times.cut(atNs);
    }
  }

  private interrupt(): void {
    const { times } = this;
    if (times.phase === "done" || times.isInterrupted) return;
    times.isInterrupted = true;
    const atNs = nowNs();
    if (times.phase === "drain") return times.shortenDrain(atNs);
    times.cut(atNs);
    this.beginDrain(atNs);
  }

  private beginDrain(atNs: number): void {
    this.loop.countUnsent();
    this.upkeep.freeze(atNs);
    this.meter.end();
    this.times.beginDrain(atNs, this.settings.drainMs);
  }

  private stop(atNs: number): void {
    this.pacer.stop();
    this.times.finish(atNs);
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
