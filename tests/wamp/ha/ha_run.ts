import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { haRows, type HaSettings } from "../../../lib/wamp/ha/options.ts";
import { run } from "../../../lib/wamp/ha/run.ts";
import type { HaSnapshot } from "../../../lib/wamp/ha/snapshot.ts";
import { CollectedIo } from "../../cli/collected_io.ts";

export interface HaOutcome {
  readonly exitCode: number;
  readonly snapshot: HaSnapshot;
  readonly io: CollectedIo;
}

/** A test of high availability, after which nothing that it started is left. */
export async function testAvailability(
  changes: Partial<HaSettings>,
  steps?: string,
  signal = new AbortController().signal,
): Promise<HaOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-ha-test-"));
  const jsonFile = join(folder, "result.json");
  const io = new CollectedIo();
  try {
    const scenario = join(folder, "steps.txt");
    if (steps !== undefined) await Bun.write(scenario, steps);
    const commandLine = commandLineOf(haRows, [], {
      statsAddress: "off",
      folder,
      jsonFile,
      ...(steps === undefined ? {} : { scenario }),
      ...changes,
    });
    const exitCode = await run(commandLine, io, signal);
    assert.deepEqual(processesWith(folder), []);
    return { exitCode, snapshot: JSON.parse(readFileSync(jsonFile, "utf8")), io };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Command lines of running processes that name the folder: routers and HAProxy do. */
function processesWith(folder: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return text.includes(folder) ? [text] : [];
    } catch {
      return [];
    }
  });
}
