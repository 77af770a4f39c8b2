import { HoldfastError, HostLimitError, messageOf } from "../errors.ts";
import type { Failure, FailureKind } from "../stats/failure.ts";
import { type Endpoint, formatEndpoint } from "../transport/endpoint.ts";
import type {
  CertificatePair,
  Listener,
  ListenSettings,
  Transport,
} from "../transport/transport.ts";
import type { Admission, RefusalReason } from "./admission.ts";
import { EchoHandlers } from "./echo.ts";
import { EndpointCounters } from "./endpoint_counters.ts";
import { Introductions } from "./introductions.ts";

/** What the failures of a connection that was not let in are counted as, where it differs. */
const refusalReasons: Partial<Record<FailureKind, RefusalReason>> = {
  "refused": "max-connections",
  "host-fds": "fd-limit",
};

/** A bound endpoint with its figures. */
export interface ServedEndpoint {
  /** As bound, port 0 replaced. */
  readonly name: string;
  readonly counters: EndpointCounters;
  readonly listener: Listener;
}

export interface ServingSettings {
  readonly certificate: CertificatePair | undefined;
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly idleTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly maxPendingBytes: number;
  /** Protocols to accept on tls and quic. */
  readonly alpn: readonly string[];
  readonly admission: Admission;
  /** What this server answers who asks for its id. */
  readonly serverId: string | undefined;
  /** Milliseconds since the start of the run. */
  elapsedMs(): number;
  /** Called for each connection that was not let in, after it was counted. */
  refused(endpoint: Endpoint, detail: string): void;
}

/**
 * Binds all endpoints or none.
 *
 * @throws {HostLimitError} one of them cannot be bound; the message names it.
 */
export async function serveEndpoints(
  endpoints: readonly Endpoint[],
  transports: Readonly<Record<Endpoint["scheme"], Transport>>,
  settings: ServingSettings,
): Promise<ServedEndpoint[]> {
  const served: ServedEndpoint[] = [];
  try {
    for (const endpoint of endpoints) {
      served.push(await serve(endpoint, transports[endpoint.scheme], settings));
    }
  } catch (error) {
    await Promise.all(served.map(({ listener }) => listener.shutdown()));
    throw error;
  }
  return served;
}

async function serve(
  endpoint: Endpoint,
  transport: Transport,
  settings: ServingSettings,
): Promise<ServedEndpoint> {
  const { scheme } = endpoint;
  const { admission } = settings;
  const counters = new EndpointCounters();
  let bound: Endpoint | undefined;
  const refused = (reason: RefusalReason | FailureKind, detail: string) => {
    counters.refuse(reason);
    // The bound endpoint, where there is one yet: a port of 0 would tell nobody which it was.
    settings.refused(bound ?? endpoint, detail);
  };
  const handlers = new EchoHandlers(
    {
      scheme,
      maxPendingBytes: settings.maxPendingBytes,
      elapsedMs: settings.elapsedMs,
      ...(settings.serverId === undefined
        ? {}
        : { introductions: new Introductions(settings.serverId) }),
      refused: () =>
        refused("max-connections", `max-connections ${admission.maxConnections} are open`),
    },
    counters,
    admission,
  );
  const listenSettings: ListenSettings = {
    backlog: settings.backlog,
    ...settings.certificate === undefined ? {} : { certificate: settings.certificate },
    maxMessageBytes: settings.maxMessageBytes,
    idleTimeoutMs: settings.idleTimeoutMs,
    // One limit for all endpoints: it moves with what the others hold. Where a transport has read
    // it before it moved, the handlers refuse instead.
    get maxConnections() {
      return counters.open + admission.room;
    },
    maxPendingBytes: settings.maxPendingBytes,
    reusePort: settings.reusePort,
    alpn: settings.alpn,
    refused(failure: Failure) {
      refused(refusalReasons[failure.kind] ?? failure.kind, failure.detail);
    },
    dropped() {
      counters.dropped++;
    },
  };
  try {
    const listener = await transport.listen(endpoint, handlers, listenSettings);
    handlers.attach(listener);
    bound = listener.endpoint;
    return { name: formatEndpoint(listener.endpoint), counters, listener };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HostLimitError(
      `cannot listen on ${formatEndpoint(endpoint)}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
