import type { Exposition } from "../../report/exposition.ts";
import type { Histogram } from "../../stats/histogram.ts";
import type { NodeHistograms } from "../snapshot.ts";

/** The quantiles of every summary: those that the exporter of Apollo's benchmark has. */
const quantiles = [0, 0.5, 0.9, 0.95, 0.99, 0.999, 1];

/**
 * What a node has timed.
 *
 * @param all since its start.
 * @param windows the last minute.
 */
export function durations(text: Exposition, all: NodeHistograms, windows: NodeHistograms): void {
  const named: readonly [name: string, key: keyof NodeHistograms, help: string][] = [
    [
      "broadcast_message_send_delay",
      "sendDelay",
      "From the intended time of a message until the kernel had taken it for all peers",
    ],
    [
      "broadcast_message_lateness",
      "lateness",
      "From the intended time of a message until the broadcaster picked it up",
    ],
    [
      "receive_message_delay",
      "delivery",
      "From the intended time of a message, by its sender's clock, to its first arrival",
    ],
    [
      "receive_message_negative_delay",
      "negativeDelivery",
      "The same where clocks differ so much that it is negative, without its sign",
    ],
    [
      "receive_message_corrected_delay",
      "correctedDelivery",
      "Delays of both kinds plus the estimated offset of the sender's clock, 0 where still negative",
    ],
    ["ping_latency", "ping", "Round trips of pings"],
  ];
  for (const [name, key, help] of named) {
    const histogram = all[key];
    text.summary(`${name}_seconds`, `${help}, of the last minute`, [{
      labels: {},
      quantiles: windowQuantiles(windows[key]),
      sum: histogram.sumNs / 1e9,
      count: histogram.count,
    }]);
    text.histogram(`${name}_distribution_seconds`, `${help}, since the start`, histogram);
  }
}

function windowQuantiles(window: Histogram): [quantile: number, seconds: number][] {
  const valuesNs = window.percentilesNs(quantiles.map((quantile) => quantile * 100));
  return quantiles.map((quantile, index) => [quantile, valuesNs[index]! / 1e9]);
}
