import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExitCode } from "../../../lib/errors.ts";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { localRows, type LocalSettings } from "../../../lib/p2p/local/options.ts";
import type { NetworkSnapshotJson } from "../../../lib/p2p/local/network_json.ts";
import { run } from "../../../lib/p2p/local/run.ts";
import { CollectedIo } from "../../cli/collected_io.ts";

/** What a `holdfast p2p local` left behind. */
export interface LocalOutcome {
  readonly exitCode: ExitCode;
  readonly out: string;
  readonly notes: string;
  readonly result: NetworkSnapshotJson;
  /** The text of a file in its run folder; undefined where it is not there. */
  file(name: string): string | undefined;
  [Symbol.dispose](): void;
}

/** Runs `holdfast p2p local` in this process, with nodes in processes of their own. */
export async function runLocal(
  changes: Partial<LocalSettings>,
  signal: AbortSignal = AbortSignal.timeout(60_000),
  io = new CollectedIo(),
): Promise<LocalOutcome> {
  const parent = mkdtempSync(join(tmpdir(), "holdfast-p2p-"));
  const runFolder = join(parent, "run");
  const jsonFile = join(parent, "result.json");
  const remove = () => rmSync(parent, { recursive: true, force: true });
  try {
    const exitCode = await run(
      commandLineOf(localRows, [], { statsAddress: "off", runFolder, jsonFile, ...changes }),
      io,
      signal,
    );
    return {
      exitCode,
      out: io.outLines.join("\n"),
      notes: io.noteLines.join("\n"),
      result: JSON.parse(readFileSync(jsonFile, "utf8")),
      file: (name) => {
        const path = join(runFolder, name);
        return existsSync(path) ? readFileSync(path, "utf8") : undefined;
      },
      [Symbol.dispose]: remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** The books of a run that is over: nothing is open, and everything is accounted for. */
export function assertClosed({ deliveries, broadcast, nodes }: NetworkSnapshotJson): void {
  const { expected, delivered, missed, missedWhileDown, unknown, inFlight } = deliveries;
  assert.equal(inFlight, 0);
  assert.equal(delivered + missed + missedWhileDown + unknown, expected);
  const dropped = Object.values(broadcast.dropped).reduce((sum, count) => sum + count, 0);
  assert.equal(broadcast.due, broadcast.sent + broadcast.queued + dropped + broadcast.gone);
  assert.equal(broadcast.queued, 0);
  assert.equal(broadcast.sent, deliveries.sent);
  const sum = (key: "sent" | "delivered") => nodes.reduce((total, node) => total + node[key], 0);
  assert.equal(sum("sent"), deliveries.sent);
  assert.equal(sum("delivered"), delivered);
}
