import { nowNs } from "../../stats/clock.ts";
import { readProcessUsage } from "../../stats/process_usage.ts";
import { schemaVersion } from "../../stats/snapshot.ts";
import { Broadcaster } from "../broadcaster.ts";
import { BroadcastPacer } from "../broadcast_pacer.ts";
import { ExploreClock } from "../explore_clock.ts";
import { explorePlan } from "../explore_plan.ts";
import { MessageReceiver } from "../message_receiver.ts";
import { largestMessageBytes } from "../message_sizes.ts";
import { NodeDurations } from "../metrics/node_durations.ts";
import type { StartNetwork } from "../network/network.ts";
import { startNetwork } from "../network/start.ts";
import type { NodeHistograms, NodePhase, NodeSnapshot, PeerCounts } from "../snapshot.ts";
import { WallClock } from "../wall_clock.ts";
import { BroadcastPlan } from "./broadcast_plan.ts";
import { ExploreRun } from "./explore_run.ts";
import { NodeNetwork } from "./node_network.ts";
import type { NodeObserver } from "./node_observer.ts";
import type { BroadcastNodeSettings } from "./node_settings.ts";
import type { RunningNode } from "./running_node.ts";
import { UsageMeter } from "./usage_meter.ts";

/** How often is looked whether everybody is connected, and whether everything has left. */
const pollMs = 10;
/** The clock is anchored, and peers are counted, so often. */
const upkeepMs = 1_000;

/** One peer of a broadcast benchmark: its network, what it broadcasts and what it receives. */
export class BroadcastNode implements RunningNode {
  readonly planned: Promise<void>;

  private readonly startNs = nowNs();
  private readonly clock: WallClock;
  private readonly durations = new NodeDurations();
  private readonly network: NodeNetwork;
  private readonly broadcaster: Broadcaster;
  private readonly receiver: MessageReceiver;
  private readonly pacer: BroadcastPacer;
  private readonly usage = new UsageMeter();
  private readonly explore: ExploreRun | undefined;
  private readonly plan: BroadcastPlan;
  private phase: NodePhase = "connecting";
  private doneNs = Infinity;
  private resets = 0;
  private isFinishing = false;
  private connecting: ReturnType<typeof setInterval> | undefined;
  private upkeep: ReturnType<typeof setInterval> | undefined;
  /** Those at the end of the plan, for a report of the whole run: others end a little earlier. */
  private peersAtEnd: PeerCounts | undefined;

  /**
   * Builds the network and begins as the settings say.
   *
   * @throws {UsageError} the settings contradict each other, or `explore` has nothing to try.
   * @throws {HostLimitError} the port cannot be bound.
   */
  static async start(
    settings: BroadcastNodeSettings,
    observer: NodeObserver = {},
    start: StartNetwork = startNetwork,
  ): Promise<BroadcastNode> {
    const node = new BroadcastNode(settings, observer, start);
    try {
      await node.network.open(node.explore?.combination.messageBytes);
    } catch (error) {
      await node.stop();
      throw error;
    }
    node.goOn();
    return node;
  }

  private constructor(
    private readonly settings: BroadcastNodeSettings,
    private readonly observer: NodeObserver,
    start: StartNetwork,
  ) {
    const { nodeId, numNodes, bufferSize, mode, protocol, broadcaster } = settings;
    const { durations } = this;
    const clock = this.clock = new WallClock(settings.originSeconds);
    const isExploring = mode === "explore";
    const exploreClock = isExploring
      ? new ExploreClock(settings.explore, settings.originSeconds)
      : undefined;
    this.network = new NodeNetwork(
      {
        ...settings,
        wallClock: clock,
        broadcaster: mode === "all" || mode === "rr" ? undefined : broadcaster,
      },
      {
        received: (message) => this.receiver.receive(message),
        sent: (token) => this.broadcaster.sent(token),
        dropped: (reason, token) => this.broadcaster.dropped(reason, token),
        roundTrip: (rttNs) => durations.ping.record(rttNs),
      },
      start,
    );
    this.broadcaster = new Broadcaster({
      nodeId,
      bufferSize,
      clock,
      durations,
      publish: (message, token) => this.network.publish(message, token),
      sent: (index, intendedNs, sizeBytes) => observer.sent?.(index, intendedNs, sizeBytes),
    }, { messageBytes: settings.messageBytes, heartbeatNs: settings.heartbeatMs * 1e6 });
    this.receiver = new MessageReceiver({
      nodeId,
      numNodes,
      clock,
      durations,
      observer,
      exploreClock,
    });
    this.plan = new BroadcastPlan(settings, {
      clock,
      broadcaster: this.broadcaster,
      receiver: this.receiver,
      usage: this.usage,
    });
    this.pacer = new BroadcastPacer((atNs) => this.plan.step(atNs));
    if (exploreClock !== undefined && broadcaster !== undefined) {
      this.explore = new ExploreRun({
        plan: explorePlan(settings.explore, largestMessageBytes(protocol)),
        clock: exploreClock,
        wallClock: clock,
        broadcaster: this.broadcaster,
        receiver: this.receiver,
        protocol,
        nodeId,
        numNodes,
        broadcasterId: broadcaster,
        runSeconds: settings.explore.runSeconds,
        stopsAtLimit: settings.explore.stopsAtLimit,
        firstPeriod: settings.exploreFirstPeriod,
        wake: () => this.pacer.wake(),
        setPhase: (phase) => {
          if (this.isFinishing) return;
          if (phase === "running") this.usage.start();
          this.phase = phase;
        },
        reset: (messageBytes, nextTrial) => this.reset(messageBytes, nextTrial),
        note: settings.note,
      });
    }
    let settle: { resolve(): void; reject(reason: unknown): void };
    this.planned = new Promise<void>((resolve, reject) => settle = { resolve, reject });
    this.settlePlanned = settle!;
    // Whoever does not explore does not wait for it.
    this.planned.catch(() => {});
  }

  private readonly settlePlanned: { resolve(): void; reject(reason: unknown): void };

  /** The network is there: the plan begins when it can. */
  private goOn(): void {
    this.upkeep = setInterval(() => {
      this.clock.anchor();
      this.network.peers();
      this.receiver.setClockOffsets(this.network.clockOffsets());
    }, upkeepMs);
    if (this.explore !== undefined) {
      this.explore.run().then(this.settlePlanned.resolve, this.settlePlanned.reject);
    } else if (this.settings.begin === "connected") {
      this.beginWhenConnected();
    }
  }

  get peerId(): string {
    return this.network.peerId;
  }

  get addresses(): readonly string[] {
    return this.network.addresses;
  }

  isConnected(): boolean {
    const { connected, reachable } = this.network.peers();
    const reached = this.plan.broadcasts ? Math.min(connected, reachable) : connected;
    return reached >= this.settings.numNodes - 1;
  }

  private beginWhenConnected(): void {
    const { connectTimeoutMs, numNodes, note } = this.settings;
    const deadlineNs = nowNs() + connectTimeoutMs * 1e6;
    this.connecting = setInterval(() => {
      const isConnected = this.isConnected();
      if (!isConnected && nowNs() < deadlineNs) return;
      if (!isConnected) {
        const { connected } = this.network.peers();
        note(
          `only ${connected} of ${numNodes - 1} peers are connected after ` +
            `${connectTimeoutMs / 1000} s: beginning without the others`,
        );
      }
      this.begin();
    }, pollMs);
  }

  begin(atNs: number = this.clock.nowNs(), untilNs = Infinity, measuredFromNs?: number): void {
    clearInterval(this.connecting);
    if (this.phase !== "connecting" || this.explore !== undefined) return;
    this.phase = "running";
    this.plan.begin(atNs, untilNs, measuredFromNs);
    this.pacer.wake();
  }

  private async reset(messageBytes: number, nextTrial: number): Promise<void> {
    await this.network.drop();
    this.broadcaster.networkEnded(nowNs());
    this.broadcaster.reset();
    this.receiver.reset();
    this.resets++;
    this.observer.reset?.(nextTrial);
    if (!this.isFinishing) await this.network.open(messageBytes);
  }

  snapshot(): NodeSnapshot {
    const { settings, network, receiver, explore } = this;
    const atNs = Math.min(nowNs(), this.doneNs);
    const peers = (this.phase === "done" ? this.peersAtEnd : undefined) ?? network.peers();
    const combination = explore?.combination;
    return {
      schemaVersion,
      role: "p2p-node",
      run: settings.run,
      nodeId: settings.nodeId,
      numNodes: settings.numNodes,
      peerId: network.peerId,
      addresses: network.addresses,
      protocol: settings.protocol,
      mode: settings.mode,
      broadcaster: settings.broadcaster,
      messageBytes: combination?.messageBytes ?? settings.messageBytes,
      heartbeatMs: combination?.heartbeatMs ?? settings.heartbeatMs,
      phase: this.phase === "running" && this.plan.isWarmingUp ? "warmup" : this.phase,
      warmupMs: settings.warmupMs ?? 0,
      elapsedMs: (atNs - this.startNs) / 1e6,
      interrupted: false,
      broadcast: this.broadcaster.totalCounts(atNs),
      received: {
        ...receiver.counts,
        refused: { ...receiver.counts.refused },
        invalid: network.invalidMessages(),
        removedCopies: network.removedCopies(),
        overflowed: network.overflowed(),
      },
      senders: receiver.senders(),
      peers,
      mostPeers: network.mostPeers,
      events: { ...network.events },
      resets: this.resets,
      clockOffsets: network.clockOffsets(),
      clockSteps: { ...this.clock.steps },
      histograms: this.durations.totals(),
      running: this.usage.used(),
      process: readProcessUsage(),
      ...(explore === undefined
        ? {}
        : { explore: { planned: explore.planned, trials: [...explore.trials] } }),
      verdict: undefined,
    };
  }

  windows(): NodeHistograms {
    return this.durations.windows();
  }

  /** When the last message came, in nanoseconds ago; Infinity before the first. */
  silentForNs(): number {
    return this.clock.nowNs() - this.receiver.lastArrivedNs;
  }

  async finish(): Promise<void> {
    if (this.isFinishing) return;
    this.isFinishing = true;
    clearInterval(this.connecting);
    this.plan.end();
    this.explore?.end();
    const endNs = nowNs();
    this.broadcaster.end(endNs);
    this.phase = "draining";
    this.peersAtEnd = this.network.peers();
    while (!this.broadcaster.isIdle && nowNs() - endNs < this.settings.drainMs * 1e6) {
      await Bun.sleep(pollMs);
    }
    this.usage.end();
    this.explore?.closeUnfinished();
  }

  private stopping: Promise<void> | undefined;

  stop(): Promise<void> {
    return this.stopping ??= this.shutDown();
  }

  private async shutDown(): Promise<void> {
    this.isFinishing = true;
    clearInterval(this.connecting);
    clearInterval(this.upkeep);
    this.plan.end();
    this.explore?.end();
    this.pacer.stop();
    this.usage.end();
    const atNs = nowNs();
    this.peersAtEnd ??= this.network.peers();
    await this.network.close();
    this.broadcaster.networkEnded(atNs);
    this.doneNs = atNs;
    this.phase = "done";
  }
}
