import { type ExitCode, exitCodes, UsageError } from "../../errors.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { quote } from "../../options/kind.ts";
import type { Io } from "../../report/io.ts";
import { peerIdOf } from "../identity.ts";
import type { IdSettings } from "./options.ts";

/**
 * `holdfast p2p id`: prints the peer id of each node id, a line each.
 *
 * @throws {UsageError} an argument is no node id.
 */
export async function run(
  { positional }: CommandLine<IdSettings>,
  io: Io,
  _signal: AbortSignal,
): Promise<ExitCode> {
  for (const nodeId of positional.map(parseNodeId)) io.out(await peerIdOf(nodeId));
  return exitCodes.ok;
}

function parseNodeId(text: string): number {
  const nodeId = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(nodeId)) {
    throw new UsageError(
      `${quote(text)} is not a node id; write a whole number from 0 to 2^53 - 1, such as 0`,
    );
  }
  return nodeId;
}
