import { test } from "bun:test";
import assert from "node:assert/strict";
import { Exposition } from "../../lib/report/exposition.ts";
import { Histogram } from "../../lib/stats/histogram.ts";

test("Exposition writes gauges and counters by exactly their names", () => {
  const text = new Exposition();
  text.gauge("peers", "Peers", [[{}, 3]]);
  text.counter("messages", "Messages", [[{ kind: 'a"b' }, 1], [{ kind: "c" }, 0]]);
  assert.equal(
    text.toString(),
    "# HELP peers Peers\n# TYPE peers gauge\npeers 3\n" +
      "# HELP messages Messages\n# TYPE messages counter\n" +
      'messages{kind="a\\"b"} 1\nmessages{kind="c"} 0\n',
  );
});

test("Exposition writes summaries, with NaN where the window is empty", () => {
  const text = new Exposition("x_");
  text.summary("delay_seconds", "Delay", [
    { labels: { peer: "1" }, quantiles: [[0, NaN], [0.99, 0.25]], sum: 1.5, count: 7 },
  ]);
  assert.deepEqual(text.toString().trim().split("\n").slice(1), [
    "# TYPE x_delay_seconds summary",
    'x_delay_seconds{peer="1",quantile="0"} NaN',
    'x_delay_seconds{peer="1",quantile="0.99"} 0.25',
    'x_delay_seconds_sum{peer="1"} 1.5',
    'x_delay_seconds_count{peer="1"} 7',
  ]);
});

test("Exposition writes histograms of seconds", () => {
  const histogram = new Histogram();
  histogram.record(2e6);
  histogram.record(2e9);
  const text = new Exposition();
  text.histogram("delay", "Delay", histogram);
  const lines = text.toString().trim().split("\n");
  assert.ok(lines.includes('delay_bucket{le="0.001"} 0'));
  assert.ok(lines.includes('delay_bucket{le="0.0025"} 1'));
  assert.ok(lines.includes('delay_bucket{le="+Inf"} 2'));
  assert.ok(lines.includes("delay_count 2"));
});
