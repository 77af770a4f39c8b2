import { test } from "bun:test";
import assert from "node:assert/strict";
import { FileError } from "../../lib/errors.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { parseSnapshot, snapshotToJson } from "../../lib/stats/snapshot_json.ts";
import type { ClientSnapshot, Snapshot, WorkerState } from "../../lib/stats/snapshot.ts";
import { clientSnapshot, rampReport, serverSnapshot, workerStates } from "./sample_snapshots.ts";
import { seededRandom } from "./seeded_random.ts";

function throughText(snapshot: Snapshot): Snapshot {
  return parseSnapshot(JSON.stringify(snapshotToJson(snapshot, { encoded: true })));
}

/** Histograms compare by what they hold, not by identity. */
function comparable(snapshot: Snapshot): unknown {
  return JSON.parse(JSON.stringify(snapshotToJson(snapshot, { encoded: true })));
}

test("parseSnapshot() reads back what snapshotToJson() wrote", () => {
  const client = clientSnapshot({
    answerStatuses: { NOERROR: 3 },
    verdict: {
      kind: "expectation-failed",
      reasons: ["one"],
      expectations: [{ expectation: "lost==0", measured: "1", passed: false }],
    },
  });
  const clamped = new Histogram();
  clamped.record(1e15);
  clamped.record(12);
  const odd = clientSnapshot({
    verdict: undefined,
    generator: { ...client.generator, openFds: NaN },
    histograms: { ...client.histograms, response: clamped, service: new Histogram() },
  });
  const shared = clientSnapshot({ workers: workerStates(), measuresRamp: true });
  shared.connections.openingMs = 9.5;
  const [{ steadyCpuShare: _, latenessP99Ns: __, ...ofServer }] = workerStates() as [WorkerState];
  const served = serverSnapshot({ workers: [ofServer] });
  const ramp = clientSnapshot({ ramp: rampReport(), overdue: [{ afterMs: 1000, count: 3 }] });
  Object.assign(ramp.connections, { lostUnused: 41, lostUnusedMessages: 1 });
  const unbroken = clientSnapshot({
    ramp: { ...rampReport(), knee: undefined, limit: undefined },
  });
  for (const snapshot of [client, odd, shared, ramp, unbroken, serverSnapshot(), served]) {
    assert.deepEqual(comparable(throughText(snapshot)), comparable(snapshot));
  }
  const read = throughText(odd) as ClientSnapshot;
  assert.ok(Number.isNaN(read.generator.openFds));
  assert.equal(read.histograms.response.clamped, 1);
  assert.equal(read.histograms.service.count, 0);
  assert.equal(throughText(clientSnapshot({ interrupted: true })).role, "client");
  assert.deepEqual((throughText(ramp) as ClientSnapshot).ramp, rampReport());
});

test("snapshotToJson() leaves buckets out unless asked", () => {
  const json = snapshotToJson(clientSnapshot(), { encoded: false });
  assert.equal(json.role, "client");
  assert.ok(json.role === "client" && json.histograms.response.encoded === undefined);
  assert.ok(JSON.stringify(json).length < 6_000);
  assert.throws(() => parseSnapshot(JSON.stringify(json)), /summary.*encoded=1/);
});

test("snapshotToJson() turns figures that do not exist into null", () => {
  const { histograms } = clientSnapshot();
  const empty = clientSnapshot({ histograms: { ...histograms, response: new Histogram() } });
  const json = JSON.parse(JSON.stringify(snapshotToJson(empty, { encoded: true })));
  assert.equal(json.histograms.response.p99Ns, null);
  assert.equal(json.histograms.response.count, 0);
});

test("parseSnapshot() refuses another schema version", () => {
  const json = { ...snapshotToJson(serverSnapshot(), { encoded: true }), schemaVersion: 2 };
  assert.throws(
    () => parseSnapshot(json),
    (error) => error instanceof FileError && /schema version 2.*version 1/.test(error.message),
  );
});

test("parseSnapshot() names the field that is missing or wrong", () => {
  const whole = comparable(clientSnapshot()) as Record<string, unknown>;
  assert.throws(() => parseSnapshot({ ...whole, elapsedMs: "1" }), /"elapsedMs" is "1"; a number/);
  assert.throws(() => parseSnapshot({ ...whole, phase: "lunch" }), /"phase" is "lunch"; one of/);
  assert.throws(() => parseSnapshot({ ...whole, role: "p2p" }), /"role"/);
  assert.throws(() => parseSnapshot("{"), /not JSON/);
  assert.throws(() => parseSnapshot(null), /the snapshot is null/);
});

test("parseSnapshot() throws nothing but FileError, whatever is damaged", () => {
  const random = seededRandom(21);
  for (const snapshot of [clientSnapshot(), serverSnapshot()]) {
    const text = JSON.stringify(snapshotToJson(snapshot, { encoded: true }));
    const paths = pathsOf(JSON.parse(text));
    for (const path of paths) {
      const damaged = JSON.parse(text);
      const parent = path.slice(0, -1).reduce((value, key) => value[key], damaged);
      const kinds = [null, "text", [], {}, -1, true];
      parent[path.at(-1)!] = kinds[Math.floor(random() * kinds.length)];
      for (const input of [damaged, text.slice(0, Math.floor(random() * text.length))]) {
        try {
          parseSnapshot(input);
        } catch (error) {
          assert.ok(error instanceof FileError, `${path.join(".")}: ${error}`);
          assert.ok(!error.message.includes("\n"));
        }
      }
    }
  }
});

// deno-lint-ignore no-explicit-any
function pathsOf(value: any): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => [
    [key],
    ...pathsOf(value[key]).map((rest) => [key, ...rest]),
  ]);
}
