import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { probeRows, type ProbeSettings } from "../../../lib/wamp/probe/options.ts";
import { run } from "../../../lib/wamp/probe/run.ts";
import type { ProbeSnapshot } from "../../../lib/wamp/probe/snapshot.ts";
import { CollectedIo } from "../../cli/collected_io.ts";

export interface ProbeOutcome {
  readonly exitCode: number;
  readonly snapshot: ProbeSnapshot;
  readonly io: CollectedIo;
}

let files = 0;

/** A run of the probe, of a second or so, whose own lateness does not matter. */
export async function probe(
  changes: Partial<ProbeSettings>,
  signal = new AbortController().signal,
): Promise<ProbeOutcome> {
  const jsonFile = join(tmpdir(), `holdfast-probe-${process.pid}-${files++}.json`);
  const io = new CollectedIo();
  try {
    const commandLine = commandLineOf(probeRows, [], {
      connections: 4,
      ratePerSecond: 10,
      durationMs: 600,
      calls: false,
      statsAddress: "off",
      maxLatenessMs: 10_000,
      jsonFile,
      ...changes,
    });
    const exitCode = await run(commandLine, io, signal);
    return { exitCode, snapshot: JSON.parse(readFileSync(jsonFile, "utf8")), io };
  } finally {
    rmSync(jsonFile, { force: true });
  }
}

/** Every subscriber has everything once, and the books are balanced. */
export function assertComplete({ snapshot }: ProbeOutcome, sessions: number): void {
  const { publications, events, calls, publisherRows } = snapshot;
  assert.ok(publications.sent > 0);
  assert.equal(publications.answered, publications.sent);
  assert.equal(publications.due, publications.sent + publications.generatorLate);
  assert.equal(events.unique, publications.sent * sessions);
  assert.equal(events.received, events.unique);
  assert.deepEqual(
    [events.lost, events.duplicated, events.outOfOrder, events.missing, events.foreign],
    [0, 0, 0, 0, 0],
  );
  assert.equal(calls.answered, calls.sent);
  assert.equal(
    publisherRows.reduce((sum, { published }) => sum + published, 0),
    publications.sent,
  );
  for (const row of publisherRows) assert.equal(row.received, row.published * sessions, row.name);
}
