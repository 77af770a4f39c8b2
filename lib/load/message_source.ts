import { Arrivals } from "./arrivals.ts";
import type { ConnectionPool } from "./connection_pool.ts";
import { GrowingIntervalSource } from "./growing_interval_source.ts";
import type { OpenLoad } from "./load_settings.ts";
import { Random } from "./random.ts";
import { constantSchedule, type Schedule } from "./schedule.ts";
import { connectionsOf, type Share, wholeOf } from "./share.ts";

/** Nothing is due on a connection that is not open, unless it is going to be opened again. */
export const notDue = -1;
/** A message is due, but there is no open connection to send it on. */
export const noConnection = -2;

/** The plan of a run: when each message is due, and on which connection. */
export interface MessageSource {
  /** Time of the next message, ns after the start of the plan; Infinity when there are no more. */
  readonly nextNs: number;
  /** Time since the message before it. */
  readonly gapNs: number;
  /** The connection of the next message, `notDue` or `noConnection`; moves on to the one after it. */
  take(): number;
  /** How many messages are due in a span of the plan, on average. */
  expectedCount(fromNs: number, toNs: number): number;
}

/**
 * The plan of an open loop.
 *
 * @param share which part of it; all where it is left out.
 */
export function createMessageSource(
  load: OpenLoad,
  connections: number,
  seed: number,
  pool: ConnectionPool,
  share: Share = wholeOf(connections),
): MessageSource {
  switch (load.kind) {
    case "poisson":
      return new RandomSource(load.schedule, "poisson", seed, pool, share);
    case "uniform":
      return new RoundRobinSource(load.schedule, "uniform", seed, pool, share);
    case "interval":
      return load.isGrowing === true
        ? new GrowingIntervalSource(load.intervalMs, pool, share)
        : new IntervalSource(load.intervalMs, seed, pool, share);
  }
}

abstract class PlannedSource {
  protected readonly random: Random;
  protected readonly arrivals: Arrivals;

  constructor(
    private readonly schedule: Schedule,
    kind: "poisson" | "uniform",
    seed: number,
    protected readonly pool: ConnectionPool,
    private readonly share: Share,
  ) {
    // Gaps and choices are drawn from streams of their own: the plan of times stays the same
    // whatever happens to connections.
    this.arrivals = new Arrivals(schedule, kind, new Random(seed, 2 * share.index), share);
    this.random = new Random(seed, 2 * share.index + 1);
  }

  get nextNs(): number {
    return this.arrivals.nextNs;
  }

  get gapNs(): number {
    return this.arrivals.gapNs;
  }

  expectedCount(fromNs: number, toNs: number): number {
    const { share } = this;
    const part = connectionsOf(share) / share.connections;
    return this.schedule.expectedCount(fromNs, toNs) * part;
  }
}

/** Each message goes to a connection chosen uniformly at random among the open ones. */
class RandomSource extends PlannedSource implements MessageSource {
  take(): number {
    this.arrivals.advance();
    const { openCount } = this.pool;
    return openCount === 0 ? noConnection : this.pool.openAt(this.random.below(openCount));
  }
}

/** The open connections take turns. */
class RoundRobinSource extends PlannedSource implements MessageSource {
  private place = 0;

  take(): number {
    this.arrivals.advance();
    const { openCount } = this.pool;
    if (openCount === 0) return noConnection;
    if (this.place >= openCount) this.place = 0;
    return this.pool.openAt(this.place++);
  }
}

/**
 * Every connection sends once per interval. With phases spread evenly that is a uniform plan over
 * all ids in turn, in which the turns of connections that are not open are left out. Those of
 * connections that are down and will be opened again are due, and cannot be sent.
 */
class IntervalSource extends PlannedSource implements MessageSource {
  private readonly intervalNs: number;
  private readonly connections: number;
  private id = 0;

  constructor(intervalMs: number, seed: number, pool: ConnectionPool, share: Share) {
    super(constantSchedule(share.connections * 1000 / intervalMs), "uniform", seed, pool, share);
    this.connections = connectionsOf(share);
    this.intervalNs = intervalMs * 1e6;
  }

  override get gapNs(): number {
    return this.intervalNs;
  }

  take(): number {
    this.arrivals.advance();
    const { id } = this;
    this.id = id + 1 === this.connections ? 0 : id + 1;
    if (this.pool.isOpen(id)) return id;
    return this.pool.isDown(id) ? noConnection : notDue;
  }

  override expectedCount(fromNs: number, toNs: number): number {
    const { openCount, downCount } = this.pool;
    return super.expectedCount(fromNs, toNs) * (openCount + downCount) / this.connections;
  }
}
