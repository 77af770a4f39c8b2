import process from "node:process";
import { exitCodes } from "../errors.ts";
import type { FromWorker, Job, ToWorker } from "../workers/messages.ts";
import type { Work, WorkerChannel } from "../workers/worker_channel.ts";
import { packError } from "../workers/worker_error.ts";
import { writeLine } from "./unhandled_errors.ts";

/** The code of each role, loaded when it is needed. */
const works: Record<Job["role"], () => Promise<{ work: unknown }>> = {
  client: () => import("../client/worker.ts"),
  server: () => import("../server/worker.ts"),
  "p2p-node": () => import("../p2p/local/worker.ts"),
  "wamp-probe": () => import("../wamp/probe/worker.ts"),
};

/**
 * Runs this process as a worker of the one that started it: does one job, says so, and leaves when
 * its parent closes the channel or has gone.
 */
export function startWorker(): Promise<never> {
  // A terminal sends these to the whole group; the parent says what is to be done.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});
  process.on("disconnect", () => process.exit(exitCodes.ok));
  // It may have gone before this was heard of.
  if (!process.connected) process.exit(exitCodes.ok);

  const fail = (error: unknown) => send({ type: "failed", error: packError(error) });
  process.on("uncaughtException", (error) => {
    writeLine(Bun.inspect(error));
    fail(error);
  });
  process.on("unhandledRejection", (error) => {
    writeLine(Bun.inspect(error));
    fail(error);
  });

  const waiting: ToWorker[] = [];
  let handler: ((message: ToWorker) => void) | undefined;
  const channel: WorkerChannel<unknown> = {
    send,
    receive(receiver) {
      handler = receiver;
      for (const message of waiting.splice(0)) receiver(message);
    },
  };
  process.on("message", (message: ToWorker) => {
    if (message.type === "job") perform(message.job, channel).catch(fail);
    else if (handler === undefined) waiting.push(message);
    else handler(message);
  });
  // The parent ends this process, or its own end does.
  return new Promise<never>(() => {});
}

async function perform({ role, details }: Job, channel: WorkerChannel<unknown>): Promise<void> {
  const { work } = await works[role]();
  await (work as Work<unknown>)(details, channel);
}

function send(message: FromWorker<unknown>): void {
  try {
    process.send?.(message);
  } catch {
    // The parent has gone: `disconnect` follows.
  }
}
