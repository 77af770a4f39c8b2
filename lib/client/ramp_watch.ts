import { readKernelCounters } from "../host/kernel_counters.ts";
import { isLocalAddress } from "../host/local_addresses.ts";
import { breakConditions, overdueBoundsMs } from "../stats/break_condition.ts";
import { KneeDetector } from "../stats/knee_detector.ts";
import type { RampLimit, RampReport } from "../stats/ramp.ts";
import { RampSeconds } from "../stats/ramp_seconds.ts";
import { RampTable } from "../stats/ramp_table.ts";
import type { ClientHistograms, ClientSnapshot } from "../stats/snapshot.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { resolveHost } from "../transport/resolve.ts";
import type { ClientSettings } from "./options.ts";
import {
  gatherEvidence,
  type GatherSettings,
  type RampEvidence,
  type RampSample,
  sampleOf,
  serverEvidence,
  startSample,
} from "./ramp_evidence.ts";
import { findLimit } from "./ramp_limit.ts";
import { type MostConnections, ownLimit } from "./ramp_settings.ts";
import { ServerStats } from "./server_stats.ts";

/** How far back the second of a knee can lie: the longest reply timeout that anybody waits for. */
const keptSamples = 60;
/** How long the server's last statistics are awaited. */
const lastWordMs = 1000;

/** How long a step takes, with its pause; undefined where there are none. */
function stepMs({ step, connectRatePerSecond }: ClientSettings): number | undefined {
  return step && step.connections / connectRatePerSecond * 1000 + step.holdMs;
}

export interface RampWatchSettings {
  readonly settings: ClientSettings;
  readonly endpoint: Endpoint;
  /** Where the number of connections is what this host can hold. */
  readonly most: MostConnections | undefined;
  /** How many processes generate the load. */
  readonly workers: number;
  /** The ramp is at its knee: end it. */
  broken(line: string): void;
}

/**
 * Watches a ramp second by second until something breaks, and finds out what it was. Each second it
 * reads the kernel's counters and asks for the server's statistics: under a millisecond.
 */
export class RampWatch {
  readonly #of: RampWatchSettings;
  readonly #gathering: GatherSettings;
  readonly #stats: ServerStats | undefined;
  readonly #detector: KneeDetector;
  readonly #seconds = new RampSeconds();
  readonly #table: RampTable;
  readonly #samples: RampSample[];
  #evidence: RampEvidence | undefined;
  #limit: RampLimit | undefined;
  #isOver = false;

  /**
   * Connects to the server's statistics, where they are wanted.
   *
   * @throws {TargetUnreachableError} they cannot be read, or the target's host does not resolve.
   * @throws {UsageError} a condition cannot be read.
   */
  static async open(of: RampWatchSettings): Promise<RampWatch> {
    const { settings: { serverStatsUrl }, endpoint } = of;
    // Asked now: without a free descriptor there is no telling.
    const isLocal = (await resolveHost(endpoint.host)).every(isLocalAddress);
    const stats = serverStatsUrl === undefined
      ? undefined
      : await ServerStats.open(new URL(serverStatsUrl));
    return new RampWatch(of, isLocal, stats);
  }

  private constructor(
    of: RampWatchSettings,
    isLocal: boolean,
    stats: ServerStats | undefined,
  ) {
    const { settings, endpoint } = of;
    this.#of = of;
    this.#stats = stats;
    const conditions = breakConditions(settings.breakConditions);
    const [boundMs = Infinity] = overdueBoundsMs(conditions);
    this.#gathering = {
      responseBoundNs: boundMs * 1e6,
      endpoint,
      isLocal,
      maxLatenessP99Ns: settings.maxScheduleErrorMs * 1e6,
      processes: of.workers,
    };
    this.#detector = new KneeDetector({
      conditions,
      replyTimeoutMs: settings.timeoutMs,
    });
    this.#samples = [startSample(readKernelCounters(), stats?.latest)];
    this.#table = new RampTable(stepMs(settings));
  }

  /** A second is over: see `SecondHandler`. */
  second(
    interval: ClientHistograms,
    startNs: number,
    endNs: number,
    snapshot: ClientSnapshot,
  ): void {
    if (this.#isOver) return;
    const second = this.#seconds.next(interval, startNs, endNs, snapshot);
    this.#table.add(second);
    // The last answers still belong into the table; what is lost from now on is of the end itself.
    if (snapshot.phase !== "ramp" && snapshot.phase !== "steady") return;
    this.#samples.push(sampleOf(
      second.untilMs,
      snapshot,
      interval,
      readKernelCounters(),
      this.#stats?.latest,
    ));
    if (this.#samples.length > keptSamples) this.#samples.shift();
    this.#stats?.ask();
    const { attempted, requested, opened, failed } = snapshot.connections;
    const isComplete = attempted === requested && opened + failed === attempted;
    const knee = this.#detector.next(second) ??
      (isComplete ? this.#detector.endOfAttempts() : undefined);
    if (knee === undefined) return;
    this.#isOver = true;
    this.#of.broken(
      `issues started at ${knee.connections} active connections (${
        knee.broken.map(({ condition, measured }) => `${condition}: ${measured}`).join("; ")
      }); ending the ramp`,
    );
    // While the sockets are still there, and no more are asked for.
    this.#evidence = gatherEvidence(knee, this.#samples, this.#gathering);
  }

  /** The run has ended: names the limit, where it met one. */
  async end(snapshot: ClientSnapshot): Promise<void> {
    const knee = this.#detector.knee;
    if (knee !== undefined && this.#evidence !== undefined) {
      // The server may tell of the knee's seconds only after them.
      await this.#stats?.settle(lastWordMs);
      const server = serverEvidence(knee, this.#samples, this.#stats);
      this.#limit = findLimit({ ...this.#evidence, server });
      return;
    }
    const { attempted, requested } = snapshot.connections;
    if (this.#of.most !== undefined && attempted === requested && !snapshot.interrupted) {
      this.#limit = ownLimit(this.#of.most);
    }
  }

  report(): RampReport {
    return {
      conditions: this.#of.settings.breakConditions,
      rows: this.#table.rows(),
      knee: this.#detector.knee,
      limit: this.#limit,
    };
  }

  close(): void {
    this.#stats?.close();
  }
}
