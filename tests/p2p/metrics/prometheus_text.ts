import assert from "node:assert/strict";

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

const metricName = "[a-zA-Z_:][a-zA-Z0-9_:]*";

/**
 * Reads Prometheus' text format 0.0.4 more strictly than Prometheus: a family has its HELP, its TYPE
 * and all its samples in one place, no series comes twice, histograms and summaries are whole.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function parsePrometheusText(text: string): ReadonlyMap<string, ParsedFamily> {
  assert.ok(text.endsWith("\n"), "the last line has no end");
  const families = new Map<string, ParsedFamily & { samples: ParsedSample[] }>();
  const series = new Set<string>();
  let help: { family: string; text: string } | undefined;
  let current: { family: string; samples: ParsedSample[]; type: string } | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const helpLine = new RegExp(`^# HELP (${metricName}) (\\S.*)$`).exec(line);
    const typeLine = new RegExp(`^# TYPE (${metricName}) (counter|gauge|histogram|summary)$`)
      .exec(line);
    if (helpLine !== null) {
      assert.equal(help, undefined, `two HELP lines: ${line}`);
      help = { family: helpLine[1]!, text: helpLine[2]! };
      current = undefined;
    } else if (typeLine !== null) {
      const family = typeLine[1]!;
      assert.equal(help?.family, family, `no HELP line before: ${line}`);
      assert.ok(!families.has(family), `${family} comes twice`);
      const samples: ParsedSample[] = [];
      current = { family, samples, type: typeLine[2]! };
      families.set(family, {
        type: typeLine[2] as ParsedFamily["type"],
        help: help!.text,
        samples,
      });
      help = undefined;
    } else {
      assert.ok(current !== undefined, `no TYPE line before: ${line}`);
      const sample = parseSample(line);
      const suffix = sample.name.slice(current.family.length);
      assert.ok(sample.name.startsWith(current.family), `${line} in ${current.family}`);
      assert.ok(suffixesOf(current.type).includes(suffix), `${line} in ${current.family}`);
      const id = `${sample.name}${JSON.stringify(Object.entries(sample.labels).toSorted())}`;
      assert.ok(!series.has(id), `${line} comes twice`);
      series.add(id);
      current.samples.push(sample);
    }
  }
  assert.equal(help, undefined, "the last family has no TYPE");
  for (const [name, family] of families) {
    assert.ok(family.samples.length > 0, `${name} has no samples`);
    if (family.type === "histogram") checkHistogram(name, family.samples);
    if (family.type === "summary") checkSummary(name, family.samples);
    if (family.type === "counter") {
      for (const { value } of family.samples) assert.ok(!(value < 0), `${name} is below 0`);
    }
  }
  return families;
}

/** The value of the one sample of that name with exactly these labels. */
export function valueOf(
  families: ReadonlyMap<string, ParsedFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const found = [...families.values()].flatMap(({ samples }) => samples).filter((sample) =>
    sample.name === name && Bun.deepEquals(sample.labels, labels)
  );
  assert.equal(found.length, 1, `${name}${JSON.stringify(labels)} is there ${found.length} times`);
  return found[0]!.value;
}

/** The values of one label in a family, in order. */
export function labelValues(family: ParsedFamily | undefined, label: string): string[] {
  return (family?.samples ?? []).map(({ name, labels }) => {
    assert.ok(label in labels, `${name} has no label ${label}`);
    return labels[label]!;
  });
}

function suffixesOf(type: string): readonly string[] {
  if (type === "histogram") return ["_bucket", "_sum", "_count"];
  return type === "summary" ? ["", "_sum", "_count"] : [""];
}

function parseSample(line: string): ParsedSample {
  const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
  const match = new RegExp(
    `^(${metricName})(?:\\{((?:${label})(?:,${label})*)\\})? ` +
      `(NaN|[+-]Inf|-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`,
  ).exec(line);
  assert.ok(match !== null, `no sample: ${line}`);
  const labels: Record<string, string> = {};
  for (const [, key, escaped] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    assert.ok(!key!.startsWith("__"), line);
    assert.ok(!(key! in labels), `a label comes twice: ${line}`);
    labels[key!] = escaped!.replaceAll(/\\(.)/g, (_, each) => each === "n" ? "\n" : each);
  }
  const value = match[3]!.endsWith("Inf") ? Number(`${match[3]}inity`) : Number(match[3]);
  return { name: match[1]!, labels, value };
}

/** Samples without the labels that tell the parts of one histogram or summary apart. */
function groupsOf(samples: readonly ParsedSample[], part: string): ParsedSample[][] {
  const groups = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const own = Object.entries(sample.labels).filter(([key]) => key !== part).toSorted();
    const key = JSON.stringify(own);
    groups.set(key, [...groups.get(key) ?? [], sample]);
  }
  return [...groups.values()];
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  for (const group of groupsOf(samples, "le")) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const [sum, count, ...rest] = group.filter((sample) => sample.name !== `${name}_bucket`);
    assert.deepEqual([sum?.name, count?.name, rest], [`${name}_sum`, `${name}_count`, []]);
    let [bound, reached] = [-Infinity, 0];
    for (const { labels, value } of buckets) {
      const le = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
      assert.ok(le > bound && value >= reached, `${name} at ${labels["le"]}`);
      [bound, reached] = [le, value];
    }
    assert.equal(bound, Infinity, `${name} does not end with +Inf`);
    assert.equal(reached, count!.value, `${name} does not have its count in +Inf`);
  }
}

function checkSummary(name: string, samples: readonly ParsedSample[]): void {
  for (const group of groupsOf(samples, "quantile")) {
    const quantiles = group.filter((sample) => sample.name === name);
    const rest = group.filter((sample) => sample.name !== name);
    assert.deepEqual(rest.map((sample) => sample.name), [`${name}_sum`, `${name}_count`]);
    let [at, least] = [-Infinity, -Infinity];
    for (const { labels, value } of quantiles) {
      const quantile = Number(labels["quantile"]);
      assert.ok(quantile > at && quantile >= 0 && quantile <= 1, `${name} ${labels["quantile"]}`);
      assert.ok(Number.isNaN(value) || value >= least, `${name} ${labels["quantile"]}`);
      [at, least] = [quantile, Number.isNaN(value) ? least : value];
    }
  }
}
