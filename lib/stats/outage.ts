/** Open connections by server: by its address, or by the id that it announced. */
export type ServerSpread = Record<string, number>;

/**
 * An outage: it begins with the first loss while everything that should be open is open, and ends when
 * 100 % are back and stay so for a second (`outageHoldMs`); a loss within that second belongs to it.
 *
 * It begins when the end of a connection was noticed. Where silence is the only sign of an end (UDP,
 * QUIC), it begins when the first message was due that was not answered any more.
 */
export interface Outage {
  /** Milliseconds after the start of the run. */
  beganMs: number;
  /** How many connections were down in it at some time: they were lost, or failed to open. */
  connections: number;
  /** How many of them are down now; 0 when it is over, unless the run ended first. */
  down: number;
  /** How often a connection that was back was lost again within it. */
  lostAgain: number;
  /** Attempts to bring connections back that failed. */
  failedAttempts: number;
  /**
   * Milliseconds after its beginning: from then on half, 99 % and all of the connections were back. NaN
   * where that has not been reached. On UDP, whose sockets open without a server, a connection is back
   * with its first answer.
   */
  back50Ms: number;
  back99Ms: number;
  backAllMs: number;
  /** The longest time for which one and the same connection was down, so far. */
  longestGapMs: number;
  /** Messages that were out on a connection, or in its silence, when it was lost. */
  lost: number;
  /**
   * Messages that were due and could not be sent because of it: what waited on a connection when it was
   * lost; what fell due while no connection was open; with `--interval`, the turns of connections that
   * were down.
   */
  unsent: number;
  /** Further answers to messages that were answered, and answers after the reply timeout, in its time. */
  duplicated: number;
  late: number;
  /** The open connections when it began and when it was over (or now). */
  before: ServerSpread;
  after: ServerSpread;
  isOver: boolean;
}

export interface OutageReport {
  /** How many there were. */
  total: number;
  /** The first and the last of them, in the order of time, at most `mostOutages`. */
  list: Outage[];
}

/** How long all connections must stay open for an outage to be over. */
export const outageHoldMs = 1000;

/** Half of them are the first ones, the others the last. */
export const mostOutages = 100;

/** Adds an outage at the end, where need be in place of one in the middle. */
export function keepOutage(list: Outage[], outage: Outage): void {
  if (list.length >= mostOutages) list.splice(mostOutages / 2, 1);
  list.push(outage);
}

/**
 * The outages of several clients that ran at the same time. Those that overlap, or follow within
 * `outageHoldMs`, are one: counts are added, it begins with the first and ends with the last, and its
 * spreads are those of the clients that it concerned. When half and 99 % of all were back is known to
 * lie at or before the time that is given: each client tells of its own half and its own 99 %.
 */
export function mergeOutages(reports: readonly OutageReport[]): OutageReport {
  const all = reports.flatMap(({ list }) => list).sort((a, b) => a.beganMs - b.beganMs);
  const unlisted = reports.reduce((sum, { total, list }) => sum + total - list.length, 0);
  const groups: Outage[][] = [];
  let endMs = -Infinity;
  for (const outage of all) {
    if (outage.beganMs > endMs + outageHoldMs) groups.push([]);
    groups.at(-1)!.push(outage);
    endMs = Math.max(endMs, endOf(outage));
  }
  const list: Outage[] = [];
  for (const group of groups) keepOutage(list, combined(group));
  return { total: groups.length + unlisted, list };
}

function endOf({ beganMs, backAllMs, isOver }: Outage): number {
  return isOver ? beganMs + backAllMs : Infinity;
}

function combined(group: readonly Outage[]): Outage {
  const beganMs = Math.min(...group.map((each) => each.beganMs));
  const sum = (value: (outage: Outage) => number) =>
    group.reduce((total, each) => total + value(each), 0);
  const ends = group.map((each) => each.beganMs + each.backAllMs);
  return {
    beganMs,
    connections: sum((each) => each.connections),
    down: sum((each) => each.down),
    lostAgain: sum((each) => each.lostAgain),
    failedAttempts: sum((each) => each.failedAttempts),
    back50Ms: levelMs(group, 0.5) - beganMs,
    back99Ms: levelMs(group, 0.99) - beganMs,
    // NaN where one of them is not back.
    backAllMs: Math.max(...ends) - beganMs,
    longestGapMs: Math.max(...group.map((each) => each.longestGapMs)),
    lost: sum((each) => each.lost),
    unsent: sum((each) => each.unsent),
    duplicated: sum((each) => each.duplicated),
    late: sum((each) => each.late),
    before: addSpreads(group.map((each) => each.before)),
    after: addSpreads(group.map((each) => each.after)),
    isOver: group.every((each) => each.isOver),
  };
}

/** When this share of the connections of a group was back at the latest; NaN where it is not. */
function levelMs(group: readonly Outage[], share: number): number {
  const wanted = share * group.reduce((total, each) => total + each.connections, 0);
  const steps = group.flatMap(({ beganMs, connections, back50Ms, back99Ms, backAllMs }) => [
    { atMs: beganMs + back50Ms, count: 0.5 * connections },
    { atMs: beganMs + back99Ms, count: 0.49 * connections },
    { atMs: beganMs + backAllMs, count: 0.01 * connections },
  ]).filter(({ atMs }) => Number.isFinite(atMs)).sort((a, b) => a.atMs - b.atMs);
  let count = 0;
  for (const step of steps) {
    count += step.count;
    if (count >= wanted - 1e-6) return step.atMs;
  }
  return NaN;
}

/** The sum of several spreads. */
export function addSpreads(spreads: readonly Readonly<ServerSpread>[]): ServerSpread {
  const sum: ServerSpread = {};
  for (const spread of spreads) {
    for (const [server, open] of Object.entries(spread)) sum[server] = (sum[server] ?? 0) + open;
  }
  return sum;
}
