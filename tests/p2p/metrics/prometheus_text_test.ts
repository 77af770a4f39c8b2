import { test } from "bun:test";
import assert from "node:assert/strict";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";

const good = `# HELP a Of a
# TYPE a gauge
a{x="1",y="q\\"\\\\\\n"} -1.5e-7
a NaN
# HELP s Of s
# TYPE s summary
s{quantile="0"} 1
s{quantile="1"} +Inf
s_sum 3
s_count 2
# HELP h Of h
# TYPE h histogram
h_bucket{le="0.5"} 1
h_bucket{le="+Inf"} 2
h_sum 3
h_count 2
`;

test("parsePrometheusText() reads families, labels and values", () => {
  const families = parsePrometheusText(good);
  assert.deepEqual([...families.keys()], ["a", "s", "h"]);
  assert.equal(valueOf(families, "a", { y: 'q"\\\n', x: "1" }), -1.5e-7);
  assert.equal(valueOf(families, "s", { quantile: "1" }), Infinity);
  assert.equal(valueOf(families, "h_count"), 2);
});

test("parsePrometheusText() takes nothing that is wrong", () => {
  const wrong: readonly [find: string, replace: string][] = [
    ["# HELP a Of a\n", ""],
    ["# TYPE a gauge\n", ""],
    ["gauge", "number"],
    ["a NaN", "b NaN"],
    ["a NaN", "a NaN\na NaN"],
    ["a NaN", "a nan"],
    ["a NaN", "a NaN 5 5"],
    ["a NaN", ""],
    ['x="1"', 'x="1'],
    ['x="1"', 'x="1",x="2"'],
    ['x="1"', '1x="1"'],
    ['y="q\\"', 'y="q"'],
    ["# HELP s", "# HELP a"],
    ['quantile="1"', 'quantile="0"'],
    ['quantile="1"', 'quantile="2"'],
    ["+Inf\ns_sum", "0.5\ns_sum"],
    ["s_sum 3\n", ""],
    ['le="+Inf"', 'le="5"'],
    ["h_count 2", "h_count 3"],
    ["h_sum 3\n", ""],
    ["h_count 2\n", "h_count 2"],
    ["h_bucket{", "h{"],
    ['le="+Inf"} 2', 'le="+Inf"} 0'],
  ];
  for (const [find, replace] of wrong) {
    assert.ok(good.includes(find), find);
    assert.throws(
      () => parsePrometheusText(good.replace(find, replace)),
      assert.AssertionError,
      `${find} -> ${replace}`,
    );
  }
});
