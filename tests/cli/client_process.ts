import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import { assertBalanced } from "../load/books.ts";

const program = join(import.meta.dir, "../../mod.ts");

/** What a `holdfast client` left behind. */
export interface ClientOutcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** What `--json` wrote; undefined where the run did not begin. */
  readonly snapshot: ClientSnapshot | undefined;
}

export interface ClientProcessSettings {
  /** The command in front of `client`; the source with this runtime when left out. */
  readonly executable?: readonly string[];
  /** Signals to send, one after another, once standard error matches. */
  readonly interruption?: {
    readonly when: RegExp;
    readonly signals: readonly NodeJS.Signals[];
  };
}

/** Between two signals, so that they do not arrive as one. */
const betweenSignalsMs = 100;

/** Runs `holdfast client` as a process of its own. Its books are checked when it wrote any. */
export async function runClient(
  args: readonly string[],
  { executable = [process.execPath, "--no-warnings", program], interruption }:
    ClientProcessSettings = {},
): Promise<ClientOutcome> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-client-"));
  const json = join(directory, "run.json");
  const quiet = interruption === undefined ? ["--quiet"] : [];
  try {
    const child = Bun.spawn(
      [...executable, "client", ...args, ...quiet, "--stats", "off", "--json", json],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 40_000, killSignal: "SIGKILL" },
    );
    const reading = new Response(child.stdout).text();
    let err = "";
    let isInterrupted = false;
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      err += decoder.decode(chunk, { stream: true });
      if (isInterrupted || interruption?.when.test(err) !== true) continue;
      isInterrupted = true;
      for (const signal of interruption.signals) {
        child.kill(signal);
        await Bun.sleep(betweenSignalsMs);
      }
    }
    const [out, exitCode] = [await reading, await child.exited];
    return { exitCode, out, err, snapshot: await readSnapshot(json) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What `--json` wrote, with its books checked; undefined where that is nothing. */
export async function readSnapshot(path: string): Promise<ClientSnapshot | undefined> {
  const text = existsSync(path) ? await Bun.file(path).text() : "";
  if (text === "") return undefined;
  const snapshot = parseSnapshot(text);
  assert.ok(snapshot.role === "client");
  assertBalanced(snapshot.messages);
  assertBalanced(snapshot.steady);
  assert.equal(snapshot.messages.inFlight + snapshot.messages.queued, 0, "open after the run");
  return snapshot;
}

/**
 * The snapshot of a run in which every message was answered as it should be. On a machine that is
 * busy with other things the generator may have missed some of its plan, and have said so.
 *
 * @param dropped datagrams that the kernel dropped meanwhile for want of buffer space.
 */
export function allAnswered(
  { exitCode, err, out, snapshot }: ClientOutcome,
  dropped = 0,
): ClientSnapshot {
  assert.ok(exitCode === 0 || exitCode === 3, err + out);
  assert.equal(err, "");
  assert.ok(snapshot !== undefined);
  const { messages, anomalies, connections, verdict } = snapshot;
  assert.equal(verdict?.kind, exitCode === 0 ? "ok" : "invalid");
  assert.ok(messages.sent > 0, out);
  assert.equal(messages.answered + messages.lost.timeout, messages.sent, out);
  assert.ok(messages.lost.timeout <= dropped, out);
  assert.equal(messages.sent + messages.unsent.generatorLate, messages.due, out);
  const { reordered: _, ...wrong } = anomalies;
  assert.deepEqual(wrong, { duplicated: 0, late: 0, corrupted: 0, unknown: 0 });
  assert.equal(connections.opened, connections.requested);
  assert.equal(connections.open, connections.requested);
  assert.deepEqual(connections.failures, []);
  return snapshot;
}
