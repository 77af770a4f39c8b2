import type { Failure } from "../stats/failure.ts";
import type { Dialer } from "../transport/transport.ts";
import { Backoff } from "./backoff.ts";
import type { ConnectionPool } from "./connection_pool.ts";
import type { MessageLedger } from "./ledger.ts";
import type { LoadSettings } from "./load_settings.ts";
import { OutageLog } from "./outage_log.ts";
import type { PoolEvents, ReopenSettings } from "./pool_settings.ts";
import type { Receiver } from "./receiver.ts";
import { Recycler } from "./recycler.ts";
import { ServerTally } from "./server_tally.ts";
import { SilenceWatch, silentMessages } from "./silence_watch.ts";

/** A connection on which nobody answers any more, where nothing else tells. */
export const silent: Failure = {
  kind: "timeout",
  detail: `no answer to ${silentMessages} messages in a row within the reply timeout`,
};

/** The parts of a load generator, which are made after this. */
export interface UpkeepParts {
  readonly ledger: MessageLedger;
  readonly receiver: Receiver;
  readonly pool: ConnectionPool;
}

/**
 * What is done to connections in the course of a run, and known of them: those that are lost are opened
 * again, and their outages told (`reconnect`); some are closed and opened again (`recycle`); the servers
 * that they are with are counted. Each costs only where it is asked for.
 */
export class ConnectionUpkeep implements PoolEvents {
  readonly outages: OutageLog | undefined;
  readonly servers: ServerTally | undefined;
  /** A connection that was down is back with its first answer. */
  readonly needsProof: boolean;
  private readonly silence: SilenceWatch | undefined;
  private recycler: Recycler | undefined;

  constructor(
    private readonly settings: LoadSettings,
    private readonly dialer: Dialer,
    private readonly parts: UpkeepParts,
  ) {
    const { connections, reconnect, identify } = settings;
    const { isConnectionless, hasIdleTimeout } = dialer.traits;
    const reconnects = reconnect !== undefined;
    // With the server's answer to the question for its id there is proof from the beginning.
    this.needsProof = reconnects && isConnectionless === true && !identify;
    if (reconnects || identify) this.servers = new ServerTally(connections);
    if (reconnects) {
      this.outages = new OutageLog(connections, {
        counts: () => this.counts(),
        spread: () => this.servers?.spread() ?? {},
      });
    }
    // A server that was killed shows there by silence alone, or half a minute later.
    if (reconnects && (isConnectionless || hasIdleTimeout)) {
      this.silence = new SilenceWatch(connections, (id) => parts.receiver.lastAnsweredOn(id));
    }
  }

  /** What the pool has to know. */
  reopenSettings(): ReopenSettings {
    const { reconnect, recyclePerSecond, seed, share } = this.settings;
    return {
      recycles: recyclePerSecond !== undefined,
      needsProof: this.needsProof,
      ...(reconnect === undefined ? {} : { backoff: new Backoff(reconnect, seed, share) }),
    };
  }

  private counts() {
    const { ledger, receiver } = this.parts;
    return {
      unsent: ledger.outside.unsentNoConnection + ledger.steady.unsentNoConnection,
      duplicated: receiver.anomalies.duplicated,
      late: receiver.anomalies.late,
    };
  }

  /** The run starts. */
  start(atNs: number): void {
    this.outages?.start(atNs);
  }

  /** The ramp is over. */
  begin(atNs: number): void {
    const { connections, recyclePerSecond, share } = this.settings;
    if (recyclePerSecond === undefined) return;
    const { pool, ledger } = this.parts;
    this.recycler = new Recycler(
      { connections, perSecond: recyclePerSecond, share },
      pool,
      ledger,
      this.dialer,
    );
    this.recycler.start(atNs);
  }

  /** @param isSending messages are being sent, so that connections may be retired. */
  step(atNs: number, isSending: boolean): void {
    // All are back: the choice among them shall be what it was.
    if (this.outages?.step(atNs)) this.parts.pool.sortOpen();
    this.recycler?.closeSettled(atNs);
    if (isSending) this.recycler?.retireDue(atNs);
  }

  /** When `step` has something to do again (clock time). */
  nextDueNs(atNs: number): number {
    return this.recycler?.nextLookNs(atNs) ?? Infinity;
  }

  /** The run ends: what ends from now on is no outage. */
  freeze(atNs: number): void {
    this.outages?.freeze(atNs);
  }

  /** A message has timed out; returns whether its connection is therefore lost. */
  isSilent(id: number, sequence: number, intendedNs: number): boolean {
    if (this.silence === undefined) return false;
    if (this.silence.timedOut(id, sequence, intendedNs)) return true;
    this.outages?.messageTimedOut(id, intendedNs);
    return false;
  }

  /**
   * Since when a connection that ends now was of no use (clock time): on transports that do not tell
   * its end at once, since the first message was due that is not answered.
   */
  uselessSinceNs(id: number, atNs: number): number {
    if (this.silence === undefined) return atNs;
    if (this.silence.missedOn(id) > 0) return this.silence.sinceNsOn(id);
    return Math.min(atNs, this.parts.ledger.oldestInFlightNs(id));
  }

  /** Messages that a connection which ends now has lost already. */
  missedOn(id: number): number {
    return this.silence?.missedOn(id) ?? 0;
  }

  /** The connection is gone. */
  forget(id: number): void {
    this.silence?.forget(id);
  }

  /** What a connection took with it when it was lost: messages out, and messages that waited. */
  messagesLost(lost: number, waiting: number): void {
    this.outages?.messagesLost(lost, waiting);
  }

  down(id: number, atNs: number, sinceNs: number): void {
    this.outages?.down(id, atNs, sinceNs);
  }

  back(id: number, atNs: number): void {
    this.outages?.back(id, atNs);
    if (this.needsProof) this.outages?.messagesLost(this.silence?.takeMissed(id) ?? 0, 0);
  }

  attemptFailed(): void {
    this.outages?.attemptFailed();
  }

  entered(id: number): void {
    this.servers?.enter(id, this.dialer.serverOf?.(id) ?? "unknown");
  }

  left(id: number): void {
    this.servers?.leave(id);
  }
}
