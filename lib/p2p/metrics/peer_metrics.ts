import type { Exposition, Sample } from "../../report/exposition.ts";
import type { NodeSnapshot, SenderCounts } from "../snapshot.ts";
import { one, othersOf } from "./samples.ts";

/** By sender id, for all other nodes of the network. */
export function senders(text: Exposition, snapshot: NodeSnapshot): void {
  const known = new Map(snapshot.senders.map((counts) => [counts.sender, counts]));
  const each = (value: (counts: SenderCounts) => number, absent: number): Sample[] =>
    othersOf(snapshot).map((id) => {
      const counts = known.get(id);
      return [{ sender: String(id) }, counts === undefined ? absent : value(counts)];
    });
  text.counter(
    "receive_message_unique_total",
    "First arrivals of messages, by sender",
    each(({ received }) => received, 0),
  );
  text.counter(
    "receive_message_duplicates_total",
    "Further arrivals of messages, by sender, without those that gossipsub removed",
    each(({ duplicates }) => duplicates, 0),
  );
  text.counter(
    "receive_message_out_of_order_total",
    "First arrivals after a message with a higher index, by sender",
    each(({ outOfOrder }) => outOfOrder, 0),
  );
  text.counter(
    "receive_message_unclassified_total",
    "Arrivals so far behind that nobody knows whether they came before, by sender",
    each(({ unclassified }) => unclassified, 0),
  );
  text.gauge(
    "receive_message_missing",
    "Messages missing in the range of indices seen, by sender",
    each(({ pending }) => pending, 0),
  );
  text.gauge(
    "receive_message_gaps",
    "Holes in the range of indices seen, by sender",
    each(({ gaps }) => gaps, 0),
  );
  text.gauge(
    "receive_message_reach_ratio",
    "Share of the messages in the ranges of indices seen that reached this node, by sender",
    each(reachOf, NaN),
  );
  text.counter(
    "sender_restarts_total",
    "Times that a sender began its indices anew, by sender",
    each(({ restarts }) => restarts, 0),
  );
}

function reachOf({ received, pending, abandoned }: SenderCounts): number {
  const known = received + pending + abandoned;
  return known === 0 ? NaN : received / known;
}

/** Clocks of the other nodes, and of this host. */
export function clocks(text: Exposition, snapshot: NodeSnapshot): void {
  const { clockOffsets, clockSteps } = snapshot;
  const byPeer = new Map(clockOffsets.map((offset) => [offset.peer, offset]));
  const each = (key: "offsetNs" | "boundNs"): Sample[] =>
    othersOf(snapshot).map((id) => [
      { peer: String(id) },
      (byPeer.get(id)?.[key] ?? NaN) / 1e9,
    ]);
  const furthest = clockOffsets.reduce(
    (most, { offsetNs }) =>
      Number.isNaN(most) || Math.abs(offsetNs) > Math.abs(most) ? offsetNs : most,
    NaN,
  );
  text.gauge(
    "receive_message_clock_skew_seconds",
    "Clock of the peer that differs most, minus this clock",
    one(furthest / 1e9),
  );
  text.gauge(
    "peer_clock_offset_seconds",
    "Clock of the peer minus this clock, as estimated",
    each("offsetNs"),
  );
  text.gauge(
    "peer_clock_offset_bound_seconds",
    "How far the estimate can be off in either direction",
    each("boundNs"),
  );
  text.counter(
    "clock_steps_total",
    "Steps of this host's real-time clock",
    one(clockSteps.count),
  );
}
