import { HostLimitError } from "../../errors.ts";
import { ephemeralPorts } from "../../host/limits.ts";

/** Those below need privileges, or belong to well-known services. */
const firstPort = 10_000;
const lastPort = 65_535;
const usualEphemeralPorts = { first: 32_768, last: 60_999 };

/**
 * Ports that nobody has now, from a random one on. They are not among those from which the kernel takes
 * the ports of outgoing connections: a node that is started later, or again, would meet one of those.
 *
 * @throws {HostLimitError} there are not so many.
 */
export function freePorts(count: number, hostname: string): number[] {
  const { first, last } = ephemeralPorts() ?? usualEphemeralPorts;
  const outside = Array.from({ length: lastPort - firstPort + 1 }, (_, index) => firstPort + index)
    .filter((port) => port < first || port > last);
  // Where the kernel has taken them all, there is no better choice than its own ports.
  const candidates = outside.length >= count
    ? outside
    : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const start = Math.floor(Math.random() * candidates.length);
  const found: number[] = [];
  for (let step = 0; step < candidates.length && found.length < count; step++) {
    const port = candidates[(start + step) % candidates.length]!;
    if (isFree(port, hostname)) found.push(port);
  }
  if (found.length === count) return found;
  throw new HostLimitError(
    `${count} nodes need a port each, and only ${found.length} are free; choose the first with ` +
      `--p2p-port, or start fewer nodes`,
  );
}

function isFree(port: number, hostname: string): boolean {
  try {
    Bun.listen({ hostname, port, exclusive: true, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
