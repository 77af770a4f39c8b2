import { UsageError } from "../errors.ts";
import { type Endpoint, formatEndpoint } from "../transport/endpoint.ts";

/** What one worker serves of an endpoint. */
export interface EndpointShare {
  /** Which of the endpoints it is. */
  readonly position: number;
  readonly endpoint: Endpoint;
}

/**
 * What each of several workers listens on. They share the port of an endpoint; only QUIC, whose
 * sockets cannot be shared, has its range of ports divided among them.
 *
 * @throws {UsageError} a worker would have nothing to listen on.
 */
export function divideEndpoints(
  endpoints: readonly Endpoint[],
  workers: number,
): EndpointShare[][] {
  const shares = Array.from(
    { length: workers },
    (_, index) =>
      endpoints.flatMap((endpoint, position) => {
        const own = endpoint.scheme === "quic" ? portsOf(endpoint, index, workers) : endpoint;
        return own === undefined ? [] : [{ position, endpoint: own }];
      }),
  );
  const idle = shares.filter((share) => share.length === 0).length;
  if (idle > 0) {
    throw new UsageError(
      `${endpoints.map(formatEndpoint).join(" ")} has too few ports for --workers ${workers}: ` +
        `QUIC ports cannot be shared, and ${idle} workers would have none; give a range, as in ` +
        `quic://:4433-4464, or at most ${workers - idle} workers`,
    );
  }
  return shares;
}

/** What to say of QUIC endpoints that not all workers serve. */
export function dividedNotes(endpoints: readonly Endpoint[], workers: number): string[] {
  return endpoints.flatMap((endpoint) => {
    const ports = endpoint.lastPort - endpoint.port + 1;
    if (endpoint.scheme !== "quic" || ports >= workers) return [];
    return [
      `${formatEndpoint(endpoint)} is served by ${ports} of the ${workers} workers: QUIC ports ` +
      `cannot be shared; a range of ${workers} ports or more gives each its own`,
    ];
  });
}

/** The first workers have one port more, where it does not come out even. */
function portsOf(endpoint: Endpoint, index: number, workers: number): Endpoint | undefined {
  const ports = endpoint.lastPort - endpoint.port + 1;
  const first = endpoint.port + Math.ceil(index * ports / workers);
  const last = endpoint.port + Math.ceil((index + 1) * ports / workers) - 1;
  return first > last ? undefined : { ...endpoint, port: first, lastPort: last };
}
