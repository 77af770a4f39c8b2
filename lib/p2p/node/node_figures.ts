import { catalogueOf, type Metric, type MetricCatalogue } from "../../stats/metric_catalogue.ts";
import {
  delaysOf,
  type NodeSnapshot,
  sumOverSenders,
  totalDropped,
  totalRefused,
} from "../snapshot.ts";

type NodeMetric = Metric<NodeSnapshot>;

function ofDue(value: (snapshot: NodeSnapshot) => number): NodeMetric {
  return {
    quantity: "count",
    value: (snapshot) => snapshot.broadcast.due > 0 ? value(snapshot) : NaN,
    whole: ({ broadcast }) => broadcast.due,
    without: "this node had nothing to broadcast",
  };
}

function received({ senders }: NodeSnapshot): number {
  return sumOverSenders(senders, "received");
}

function missing({ senders }: NodeSnapshot): number {
  return sumOverSenders(senders, "pending") + sumOverSenders(senders, "abandoned");
}

/**
 * Messages that are known to exist, because they came or a later one of their sender did. In `sqmr`
 * every message goes to one node alone: nobody knows which of the others' were for this one.
 */
function known(snapshot: NodeSnapshot): number {
  return snapshot.protocol === "sqmr" ? NaN : received(snapshot) + missing(snapshot);
}

/** Figures of what came mean nothing where nothing came: such an expectation must not pass. */
function ofReceived(value: (snapshot: NodeSnapshot) => number, whole = received): NodeMetric {
  return {
    quantity: "count",
    value: (snapshot) => snapshot.senders.length > 0 ? value(snapshot) : NaN,
    whole,
    without: "no message was received, or by sqmr, where nobody knows what was for whom",
  };
}

function ofMissing(value: (snapshot: NodeSnapshot) => number): NodeMetric {
  return ofReceived(
    (snapshot) => Number.isNaN(known(snapshot)) ? NaN : value(snapshot),
    known,
  );
}

const named: Readonly<Record<string, NodeMetric>> = {
  due: ofDue(({ broadcast }) => broadcast.due),
  sent: ofDue(({ broadcast }) => broadcast.sent),
  dropped: ofDue(({ broadcast }) => totalDropped(broadcast)),
  "rate.achieved": {
    quantity: "share",
    value: ({ broadcast }) => broadcast.sent / broadcast.due,
    without: "this node had nothing to broadcast",
  },
  delivered: ofReceived(received, known),
  lost: ofMissing(missing),
  pending: ofMissing(({ senders }) => sumOverSenders(senders, "pending")),
  duplicates: ofReceived(({ senders }) => sumOverSenders(senders, "duplicates")),
  "delivery.negative": ofReceived(
    ({ histograms }) => delaysOf(histograms).negativeCount,
    ({ histograms }) => delaysOf(histograms).count,
  ),
  "out-of-order": ofReceived(({ senders }) => sumOverSenders(senders, "outOfOrder")),
  restarts: ofReceived(({ senders }) => sumOverSenders(senders, "restarts")),
  refused: {
    quantity: "count",
    value: ({ received }) => totalRefused(received) + received.invalid + received.overflowed,
    without: "",
  },
  peers: {
    quantity: "count",
    value: ({ mostPeers }) => mostPeers,
    whole: ({ numNodes }) => numNodes - 1,
    without: "",
  },
  resets: { quantity: "count", value: ({ resets }) => resets, without: "" },
  cpu: {
    quantity: "cores",
    value: ({ running }) => running.cpuShare,
    without: "the plan did not begin",
  },
};

/**
 * What `--expect` of `holdfast p2p node` can name. `delivered` and `lost` are of the messages that
 * this node knows of: those in the range of indices that it has seen of each sender. Delivery times
 * are as the clocks show them, negative ones too; `delivery-corrected` are by the sender's clock less
 * its offset.
 */
export const nodeMetrics: MetricCatalogue<NodeSnapshot> = catalogueOf(named, {
  delivery: {
    of: ({ histograms }) => delaysOf(histograms),
    without: "no message was received",
  },
  "delivery-corrected": {
    of: ({ histograms }) => histograms.correctedDelivery,
    without: "no message was received of a node whose clock's offset is known",
  },
  "send-delay": {
    of: ({ histograms }) => histograms.sendDelay,
    without: "this node sent nothing",
  },
  lateness: {
    of: ({ histograms }) => histograms.lateness,
    without: "this node had nothing to broadcast",
  },
  ping: { of: ({ histograms }) => histograms.ping, without: "no ping came back" },
});
