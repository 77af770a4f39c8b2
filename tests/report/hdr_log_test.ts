import { test } from "bun:test";
import assert from "node:assert/strict";
import * as hdr from "hdr-histogram-js";
import { HdrLog } from "../../lib/report/hdr_log.ts";
import type { Output } from "../../lib/report/output.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { indexOf } from "../../lib/stats/histogram_layout.ts";
import { evenHistogram, histogramOfMs } from "../stats/sample_snapshots.ts";

function collect(): { output: Output; text: () => string } {
  const chunks: Uint8Array[] = [];
  return {
    output: { write: (bytes) => void chunks.push(bytes.slice()), close: () => {} },
    text: () => Buffer.concat(chunks).toString(),
  };
}

const startedAtMs = Date.UTC(2026, 2, 1, 12, 0, 0, 250);

test("interval() writes what HistogramLogReader reads", () => {
  const { output, text } = collect();
  const log = new HdrLog(output, { startedAtMs, comments: ["holdfast 0.1.0", "two\nlines"] });
  const seconds = Array.from({ length: 5 }, (_, second) => ({
    response: evenHistogram(200 * (second + 1), 0.1, 10 * (second + 1)),
    service: evenHistogram(200 * (second + 1), 0.05, 5 * (second + 1)),
    connect: second === 0 ? histogramOfMs(3) : new Histogram(),
  }));
  for (const [second, histograms] of seconds.entries()) {
    log.interval(second * 1_000, (second + 1) * 1_000, histograms);
  }
  assert.deepEqual(hdr.listTags(text()), ["response", "service", "connect"]);

  const reader = new hdr.HistogramLogReader(text(), 64);
  const found: hdr.Histogram[] = [];
  for (let next = reader.nextIntervalHistogram(); next; next = reader.nextIntervalHistogram()) {
    found.push(next);
  }
  // Empty histograms have no line.
  assert.equal(found.length, 11);
  for (const histogram of found) {
    const second = Math.round((histogram.startTimeStampMsec - startedAtMs) / 1_000);
    assert.ok(Math.abs(histogram.startTimeStampMsec - startedAtMs - second * 1_000) < 1);
    assert.ok(Math.abs(histogram.endTimeStampMsec - histogram.startTimeStampMsec - 1_000) < 1);
    const written = seconds[second]![histogram.tag as "response"];
    assert.equal(histogram.totalCount, written.count);
    for (const percentile of [50, 99, 100]) {
      assert.equal(
        indexOf(histogram.getValueAtPercentile(percentile)),
        indexOf(written.percentileNs(percentile)),
      );
    }
  }
});

test("HdrLog begins with the header of the format", () => {
  const { output, text } = collect();
  const log = new HdrLog(output, { startedAtMs, comments: ["holdfast", "two\nlines"] });
  log.interval(1_500, 2_500, { response: histogramOfMs(12.3456789) });
  const lines = text().split("\n");
  assert.deepEqual(lines.slice(0, 7), [
    "#holdfast",
    "#two lines",
    "#[Histogram log format version 1.3]",
    "#[Values are nanoseconds; Interval_Max is in milliseconds]",
    "#[StartTime: 1772366400.250 (seconds since epoch), 2026-03-01T12:00:00.250Z]",
    "#[BaseTime: 1772366400.250 (seconds since epoch)]",
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ]);
  assert.match(lines[7]!, /^Tag=response,1\.500,1\.000,12\.346,HISTF[A-Za-z0-9+/=]+$/);
  assert.equal(lines[8], "");
});
