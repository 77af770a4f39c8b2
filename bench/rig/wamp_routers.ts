import { mkdirSync } from "node:fs";
import { crossbarCommand, untilItListens } from "../../tests/interop/crossbar_node.ts";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { asTyped, executable } from "./executable.ts";
import { findFreePorts } from "./free_ports.ts";

/** A router that listens on loopback, over WebSocket. */
export interface RunningRouter {
  readonly url: string;
  /** Ends with the block that it was started in. */
  readonly child: Child;
}

const firstPort = 18_080;

/** Starts `holdfast wamp router`; it listens when this returns. */
export async function startRouter(
  { report }: Benchmark,
  timeoutMs: number,
): Promise<RunningRouter> {
  const url = `ws://127.0.0.1:${findFreePorts(1, firstPort)}/ws`;
  const command = [executable, "wamp", "router", "--listen", url, "--stats", "off", "--quiet"];
  report.command(asTyped(command));
  const listening = Promise.withResolvers<void>();
  const child = new Child(command, {
    timeoutMs,
    onLine: (line) => line.startsWith("listening") && listening.resolve(),
  });
  await Promise.race([listening.promise, endedEarly(child)]);
  return { url, child };
}

/** Starts a Crossbar node with a realm that is as open; its worker ends with it. */
export async function startCrossbar(
  { directory, report }: Benchmark,
  timeoutMs: number,
): Promise<RunningRouter> {
  const ws = findFreePorts(2, firstPort);
  const folder = `${directory}/crossbar`;
  mkdirSync(folder, { recursive: true });
  const command = crossbarCommand(folder, ws, ws + 1);
  report.command(["crossbar", ...command.slice(1, -1), ".crossbar"]);
  const child = new Child(command, { timeoutMs });
  try {
    await Promise.race([untilItListens([ws]), endedEarly(child)]);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { url: `ws://127.0.0.1:${ws}/ws`, child };
}

/** @throws {Error} the process has ended. */
export async function endedEarly(child: Child): Promise<never> {
  await child.ended;
  throw new Error(`${child.command.join(" ")} ended early: ${child.lastWords}`);
}
