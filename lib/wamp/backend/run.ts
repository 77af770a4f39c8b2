import { type ExitCode, exitCodes } from "../../errors.ts";
import { ensureFds } from "../../host/limits.ts";
import type { CommandLine } from "../../options/command_line.ts";
import type { Io } from "../../report/io.ts";
import { formatBytes, formatCount, formatRate } from "../../stats/figures.ts";
import { subprotocolOf } from "../serialization/subprotocol.ts";
import { routerAccessOf } from "../session/router_access.ts";
import { formatClientUrl } from "../transport/client_url.ts";
import { Backend } from "./backend.ts";
import { backendRows, type BackendSettings, usualNodes } from "./options.ts";

/**
 * `holdfast wamp backend`: registers the procedures that the probe calls, until it is interrupted.
 *
 * @throws {HoldfastError} it could not begin.
 */
export async function run(
  commandLine: CommandLine<BackendSettings>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const access = routerAccessOf(backendRows, commandLine);
  const { urls } = access;
  const { node, nodes = usualNodes } = settings;
  const { connections, silent, periodMs } = settings;
  ensureFds(urls.length * connections);
  const refusals = new Set<string>();
  const backend: Backend = await Backend.create({
    ...access,
    subprotocol: subprotocolOf(settings.serializer, settings.batched),
    connections,
    nodesAt: (url) => node === undefined ? dealtTo(url, urls.length, nodes) : [node],
  }, {
    ready() {
      const where = urls.map(formatClientUrl).join(", ");
      io.note(`registered ${describe(node, nodes)} at ${where}`);
    },
    lost(name, failure) {
      if (!silent) io.note(`a session on ${name} ended: ${failure?.detail ?? "asked for"}`);
    },
    refused(procedure, error) {
      const line = `${procedure} was refused: ${error}`;
      if (!refusals.has(line)) io.note(line);
      refusals.add(line);
    },
  });
  backend.start();
  const reports = silent ? undefined : setInterval(report(backend, io), periodMs);
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  clearInterval(reports);
  await backend.stop();
  const { invocations, forwarded, payloadBytes, errors } = backend.counts;
  io.out(
    `${formatCount(invocations)} INVOCATIONs received (${formatCount(forwarded)} forwarded), ` +
      `${formatBytes(payloadBytes)} of payload, ${formatCount(errors)} refused`,
  );
  return exitCodes.ok;
}

/** Node n is at URL (n - 1) mod their number, so that with a URL for each node every one has its own. */
function dealtTo(url: number, urls: number, nodes: number): number[] {
  return Array.from({ length: nodes }, (_, index) => index + 1)
    .filter((node) => (node - 1) % urls === url);
}

function describe(node: number | undefined, nodes: number): string {
  if (node !== undefined) return `node${node}.container1.proc1`;
  return nodes === 1 ? "node1.container1.proc1" : `node1 to node${nodes}.container1.proc1`;
}

function report(backend: Backend, io: Io): () => void {
  let last = { ...backend.counts, atMs: performance.now() };
  return () => {
    const now = { ...backend.counts, atMs: performance.now() };
    const seconds = (now.atMs - last.atMs) / 1000;
    const received = now.invocations - last.invocations;
    io.note(
      `WAMP backend: ${formatCount(received)} INVOCATIONs received ` +
        `(${formatCount(now.forwarded - last.forwarded)} forwarded), ` +
        `${formatRate(Math.round(received / seconds))}, ` +
        `${formatBytes((now.payloadBytes - last.payloadBytes) / seconds)}/s`,
    );
    last = now;
  };
}
