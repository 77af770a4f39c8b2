import { readFileSync } from "node:fs";
import { FileError, messageOf, UsageError } from "../errors.ts";
import type { ClientSnapshot, ServerSnapshot, Snapshot } from "../stats/snapshot.ts";
import { parseSnapshot } from "../stats/snapshot_json.ts";

/** The result of one host. */
export interface ResultFile<T extends Snapshot = Snapshot> {
  readonly path: string;
  readonly snapshot: T;
}

/**
 * Reads what `--json` wrote.
 *
 * @throws {FileError} the file cannot be read or is no result; the message begins with its name.
 */
export function readResult(path: string): ResultFile {
  try {
    return { path, snapshot: parseSnapshot(readFileSync(path, "utf8")) };
  } catch (cause) {
    throw new FileError(`${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Results that can be added: all of clients, or all of servers. */
export type ResultSet =
  | { readonly role: "client"; readonly files: readonly ResultFile<ClientSnapshot>[] }
  | { readonly role: "server"; readonly files: readonly ResultFile<ServerSnapshot>[] };

/**
 * Checks that the results are of one and the same measurement, each once.
 *
 * @throws {UsageError} they are not; the message names two files that do not go together.
 */
export function asResultSet(files: readonly ResultFile[]): ResultSet {
  const [first] = files;
  if (first === undefined) {
    throw new UsageError(
      "report takes the --json files of at least one run; " +
        "for instance: holdfast report host-a.json host-b.json",
    );
  }
  for (const file of files) requireSame("role", first, file, ({ role }) => role);
  requireOnce(files);
  if (first.snapshot.role === "server") {
    return { role: "server", files: files as readonly ResultFile<ServerSnapshot>[] };
  }
  const clients = files as readonly ResultFile<ClientSnapshot>[];
  for (const client of clients) requireSameLoad(clients[0]!, client);
  return { role: "client", files: clients };
}

function requireSameLoad(
  first: ResultFile<ClientSnapshot>,
  other: ResultFile<ClientSnapshot>,
): void {
  requireSame("endpoint", first, other, ({ endpoint }) => endpoint);
  requireSame("codec", first, other, ({ codec }) => codec);
  requireSame("message size", first, other, ({ messageBytes }) => `${messageBytes} B`);
  requireSame("arrival process", first, other, ({ arrivals }) => arrivals);
}

function requireSame<T extends Snapshot>(
  what: string,
  first: ResultFile<T>,
  other: ResultFile<T>,
  valueOf: (snapshot: T) => string,
): void {
  const [expected, value] = [valueOf(first.snapshot), valueOf(other.snapshot)];
  if (expected === value) return;
  throw new UsageError(
    `${first.path} and ${other.path} cannot be added: the ${what} of the first is ${expected}, ` +
      `that of the second ${value}`,
  );
}

/** A result that is counted twice would look like a host more. */
function requireOnce(files: readonly ResultFile[]): void {
  const seen = new Map<string, string>();
  for (const { path, snapshot: { run } } of files) {
    const identity = JSON.stringify([run.host, run.pid, run.startedAt]);
    const other = seen.get(identity);
    if (other !== undefined) {
      throw new UsageError(
        `${other} and ${path} are results of the same run (on ${run.host} at ${run.startedAt}); ` +
          `name it once`,
      );
    }
    seen.set(identity, path);
  }
}
