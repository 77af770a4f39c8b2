import { createDnsCodec } from "../../lib/codec/dns.ts";
import { createEchoCodec } from "../../lib/codec/echo.ts";
import { clientSnapshot } from "../../lib/load/client_snapshot.ts";
import { LoadGenerator } from "../../lib/load/load_generator.ts";
import type { Load, LoadSettings, OpenLoad } from "../../lib/load/load_settings.ts";
import { constantSchedule } from "../../lib/load/schedule.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { transports } from "../../lib/transport/registry.ts";
import { Books } from "./books.ts";

export interface RunSettings extends Partial<LoadSettings> {
  /** `tcp://127.0.0.1:port`. */
  readonly endpoint: string;
  readonly load: Load;
  /** Size of an echo message, or a DNS query. */
  readonly message: number | string;
  readonly signal?: AbortSignal;
  /** False where an own account of each message would cost too much. */
  readonly isTraced?: boolean;
  /** Called as soon as the generator exists. */
  readonly during?: (generator: LoadGenerator) => void;
  /** Makes the generator wait for `begin` when its connections are open. */
  readonly settled?: () => void;
  /** When its first connect is due (clock time). */
  readonly startNs?: number;
}

export interface LoadRun {
  readonly generator: LoadGenerator;
  readonly snapshot: ClientSnapshot;
  readonly books: Books;
  /** Of the whole run, from its first connect on. */
  readonly tookMs: number;
  /** The seconds' histograms of response times, added up. */
  readonly responseOfSeconds: Histogram;
}

export function uniform(ratePerSecond: number): OpenLoad {
  return { kind: "uniform", schedule: constantSchedule(ratePerSecond) };
}

export function poisson(ratePerSecond: number): OpenLoad {
  return { kind: "poisson", schedule: constantSchedule(ratePerSecond) };
}

/** A whole run over a real transport; the books are checked each second and at the end. */
export async function runLoad(run: RunSettings): Promise<LoadRun> {
  const { endpoint: endpointText, message, signal, during, settled, startNs, ...others } = run;
  const { isTraced = true, ...load } = others;
  const endpoint = parseEndpoint(endpointText);
  const settings: LoadSettings = {
    connections: 1,
    connectsPerSecond: 1000,
    connectTimeoutMs: 5000,
    seed: 42,
    warmupMs: 0,
    durationMs: 1000,
    replyTimeoutMs: 5000,
    drainMs: 5000,
    verify: true,
    ...load,
  };
  const books = new Books(isTraced);
  const responseOfSeconds = new Histogram();
  const generator: LoadGenerator = await LoadGenerator.create(settings, {
    dial: (handlers) =>
      transports[endpoint.scheme].dial(endpoint, handlers, {
        capacity: settings.connections,
        connectTimeoutMs: settings.connectTimeoutMs,
        tls: { insecure: true, alpn: [] },
        connectionsPerSocket: 32,
        datagrams: false,
        maxMessageBytes: 65_536,
      }),
    codecFor: ({ framing }) =>
      typeof message === "number"
        ? createEchoCodec({ sizeBytes: message, framing })
        : createDnsCodec({ query: message, framing }),
    ...(isTraced ? { trace: books } : {}),
    ...(settled === undefined ? {} : { settled }),
    second(interval) {
      responseOfSeconds.add(interval.response);
      books.note(snapshotOf(generator));
    },
  });
  during?.(generator);
  const startedMs = performance.now();
  await generator.run(signal ?? new AbortController().signal, startNs);
  const tookMs = performance.now() - startedMs;
  const snapshot = snapshotOf(generator);
  books.check(snapshot);
  return { generator, snapshot, books, tookMs, responseOfSeconds };
}

export function snapshotOf(generator: LoadGenerator): ClientSnapshot {
  return clientSnapshot(generator, {
    run: { version: "test", host: "", pid: 0, startedAt: "", labels: {}, settings: {} },
    endpoint: "",
  });
}
