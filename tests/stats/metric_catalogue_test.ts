import { test } from "bun:test";
import assert from "node:assert/strict";
import { Histogram } from "../../lib/stats/histogram.ts";
import { catalogueOf, readerOf } from "../../lib/stats/metric_catalogue.ts";

interface Run {
  readonly lost: number;
  readonly times: Histogram;
}

const catalogue = catalogueOf<Run>(
  { lost: { quantity: "count", value: ({ lost }) => lost, without: "nothing was sent" } },
  { response: { of: ({ times }) => times, without: "nothing was answered" } },
);

test("catalogueOf() finds named metrics and every statistic of a family of times", () => {
  const times = new Histogram();
  for (const ns of [1000, 2000, 9000]) times.record(ns);
  const run: Run = { lost: 3, times };
  assert.equal(catalogue.find("lost")?.value(run), 3);
  for (const statistic of ["min", "mean", "p0", "p50", "p99.99", "p100", "max"]) {
    const metric = catalogue.find(`response.${statistic}`);
    assert.equal(metric?.quantity, "duration");
    assert.equal(metric.value(run), readerOf(statistic)!(times));
  }
  assert.ok(Math.abs(catalogue.find("response.p50")!.value(run) - 2000) < 20);
  assert.equal(catalogue.find("response.p50")!.value({ lost: 0, times: new Histogram() }), NaN);
});

test("catalogueOf() finds nothing that is only on the prototype, nor half a name", () => {
  for (
    const name of [
      ...["constructor", "toString", "__proto__", "constructor.p50", "toString.max"],
      ...["response", "response.", "response.p101", "response.p", ".p50", "lost.p50", ""],
    ]
  ) assert.equal(catalogue.find(name), undefined, name);
});

test("catalogueOf() offers only similar names that it finds", () => {
  for (const name of catalogue.similarNames()) assert.ok(catalogue.find(name) !== undefined, name);
});
