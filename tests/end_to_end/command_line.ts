/** The command line as a user starts it, as processes of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import type { ClientSnapshotJson } from "../../lib/stats/snapshot_json.ts";
import { readSnapshot } from "../cli/client_process.ts";
import { Directory, Program } from "../interop/program.ts";

const program = join(import.meta.dir, "../../mod.ts");

/** Holdfast from source with this runtime. */
export const holdfast: readonly string[] = [process.execPath, "--no-warnings", program];

/** `holdfast` in a process that may have so many descriptors. */
export function holdfastWithin(fdLimit: number): string[] {
  return ["/bin/sh", "-c", `ulimit -n ${fdLimit} && exec "$@"`, "sh", ...holdfast];
}

export interface ClientEnd {
  readonly exitCode: number;
  /** Standard output and standard error. */
  readonly text: string;
  readonly snapshot: ClientSnapshot;
}

export interface RunningClient {
  readonly program: Program;
  /** Everything that it left behind, once it has ended by itself. */
  readonly ended: Promise<ClientEnd>;
}

/**
 * Starts `holdfast client`, which serves statistics on some port. Its books are checked at its end.
 * That the generator may be late on a busy machine is no matter here.
 */
export function startClient(
  args: readonly string[],
  executable: readonly string[] = holdfast,
): RunningClient {
  const directory = new Directory();
  const json = join(directory.path, "run.json");
  const patience = ["--max-schedule-error", "1m", "--connect-timeout", "20s"];
  const own = ["--stats", "127.0.0.1:0", "--json", json];
  const program = new Program([...executable, "client", ...args, ...patience, ...own]);
  const outcome = async () => {
    try {
      const exitCode = await program.ended();
      const snapshot = await readSnapshot(json);
      assert.ok(snapshot !== undefined, program.text);
      return { exitCode, text: program.text, snapshot };
    } finally {
      directory[Symbol.dispose]();
    }
  };
  const ended = outcome();
  ended.catch(() => {}); // told to who awaits it
  return { program, ended };
}

/** What a client that runs says of itself. */
export async function statsOf({ program }: RunningClient): Promise<ClientSnapshotJson> {
  const [, url] = await program.says(/^statistics on (\S+)$/m);
  return await (await fetch(`${url}stats`)).json() as ClientSnapshotJson;
}
