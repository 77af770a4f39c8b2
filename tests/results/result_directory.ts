import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExitCode } from "../../lib/errors.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { reportRows, type ReportSettings } from "../../lib/results/options.ts";
import { run } from "../../lib/results/run.ts";
import type { Snapshot } from "../../lib/stats/snapshot.ts";
import { snapshotToJson } from "../../lib/stats/snapshot_json.ts";
import { CollectedIo } from "../cli/collected_io.ts";

/** Result files, and the report that is made of them in this process. */
export class ResultDirectory implements Disposable {
  readonly #path = mkdtempSync(join(tmpdir(), "holdfast-results-"));

  path(name: string): string {
    return join(this.#path, name);
  }

  write(name: string, content: string | Snapshot, { encoded } = { encoded: true }): string {
    const text = typeof content === "string"
      ? content
      : JSON.stringify(snapshotToJson(content, { encoded }));
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  async report(
    files: readonly string[],
    settings: Partial<ReportSettings> = {},
  ): Promise<{ exitCode: ExitCode; text: string }> {
    const io = new CollectedIo();
    const commandLine = commandLineOf(reportRows, files, settings);
    const exitCode = await run(commandLine, io, new AbortController().signal);
    return { exitCode, text: io.outLines.join("") };
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true });
  }
}
