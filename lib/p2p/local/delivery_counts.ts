/**
 * What became of the deliveries that messages call for. Always:
 * `expected = delivered + missed + missedWhileDown + unknown + inFlight`.
 */
export interface DeliveryCounts {
  /** Messages known to be on their way: their sender has said so, or a receiver had them. */
  sent: number;
  /** `sent` times the receivers of a message. */
  expected: number;
  /** Receivers that had a message, each counted once. */
  delivered: number;
  /** Lost: the receiver was up, and never had it. */
  missed: number;
  /** Lost: the receiver was down, or not back in the full mesh, when the message was due. */
  missedWhileDown: number;
  /** The receiver was killed after the message was due, and took with it whether it had it. */
  unknown: number;
  inFlight: number;
  /** Further copies at a receiver that had the message; in `sqmr`, also at a second receiver. */
  duplicated: number;
  /** Copies at a receiver that had the message before it was started again. */
  receivedAgain: number;
  /** Arrived after a message of the same sender that was due later. */
  outOfOrder: number;
  /** Copies that came so late that the message was given up, or forgotten as delivered. */
  late: number;
  /** Messages of senders that are not in this network. */
  foreign: number;
}

export const deliveryCountNames = [
  "sent",
  "expected",
  "delivered",
  "missed",
  "missedWhileDown",
  "unknown",
  "inFlight",
  "duplicated",
  "receivedAgain",
  "outOfOrder",
  "late",
  "foreign",
] as const satisfies readonly (keyof DeliveryCounts)[];

export function emptyDeliveryCounts(): DeliveryCounts {
  return Object.fromEntries(
    deliveryCountNames.map((name) => [name, 0]),
  ) as unknown as DeliveryCounts;
}

/** Both kinds of loss. */
export function lostOf({ missed, missedWhileDown }: DeliveryCounts): number {
  return missed + missedWhileDown;
}

/** What a threshold of reach (50 %, 99 %, 100 % of the other nodes) came to, over all messages. */
export interface ReachCounts {
  /** Messages that reached so many. */
  reached: number;
  /** Messages that did not. */
  notReached: number;
  /** Messages of which it is not known: a node that was killed may have had them. */
  unknown: number;
}
