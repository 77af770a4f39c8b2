import type { Codec } from "../codec/codec.ts";
import { createDnsCodec } from "../codec/dns.ts";
import { createEchoCodec } from "../codec/echo.ts";
import { UsageError } from "../errors.ts";
import { clientSnapshot, type SnapshotContext } from "../load/client_snapshot.ts";
import { LoadGenerator } from "../load/load_generator.ts";
import type { LoadSettings } from "../load/load_settings.ts";
import type { MessageTrace } from "../load/message_trace.ts";
import { nowNs } from "../stats/clock.ts";
import type { ClientSnapshot, RunIdentity } from "../stats/snapshot.ts";
import { type Endpoint, formatEndpoint } from "../transport/endpoint.ts";
import { transports } from "../transport/registry.ts";
import type { DialSettings, TransportTraits } from "../transport/transport.ts";
import type { Measurement, SecondHandler } from "./measurement.ts";
import type { ClientSettings } from "./options.ts";

export interface LocalMeasurementSettings {
  readonly endpoint: Endpoint;
  readonly settings: ClientSettings;
  readonly plan: LoadSettings;
  readonly dialing: DialSettings;
  readonly run: RunIdentity;
  readonly second: SecondHandler;
  readonly trace?: MessageTrace;
  /** Called when every connection is open or has failed; the plan then waits for `begin`. */
  readonly settled?: () => void;
}

/** A load that this process generates. */
export class LocalMeasurement implements Measurement {
  readonly #generator: LoadGenerator;
  readonly #context: SnapshotContext;

  /**
   * Resolves the target and prepares the run; connects nothing yet.
   *
   * @throws {HoldfastError} the run cannot begin.
   */
  static async create(of: LocalMeasurementSettings): Promise<LocalMeasurement> {
    const { endpoint, settings, plan, dialing, run, second, trace, settled } = of;
    const context: SnapshotContext = { run, endpoint: formatEndpoint(endpoint) };
    const generator = await LoadGenerator.create(plan, {
      dial: (handlers) => transports[endpoint.scheme].dial(endpoint, handlers, dialing),
      codecFor: (traits) => codecFor(settings, traits),
      second(interval, startNs, endNs) {
        const { startNs: runStartNs } = generator.times;
        const snapshot = clientSnapshot(generator, context);
        second(interval, startNs - runStartNs, endNs - runStartNs, snapshot);
      },
      ...(trace === undefined ? {} : { trace }),
      ...(settled === undefined ? {} : { settled }),
    });
    return new LocalMeasurement(generator, context);
  }

  private constructor(generator: LoadGenerator, context: SnapshotContext) {
    this.#generator = generator;
    this.#context = context;
  }

  snapshot(): ClientSnapshot {
    return clientSnapshot(this.#generator, this.#context);
  }

  async run(signal: AbortSignal, startNs = nowNs()): Promise<void> {
    // The seconds of all generators that start together are the same.
    const waitMs = (startNs - nowNs()) / 1e6;
    if (waitMs > 0 && !signal.aborted) await Bun.sleep(waitMs);
    await this.#generator.run(signal, startNs);
  }

  /** The plan begins then (clock time): see `settled`. */
  begin(atNs: number): void {
    this.#generator.begin(atNs);
  }

  finish(): void {
    this.#generator.finish();
  }

  close(): void {}
}

function codecFor(settings: ClientSettings, traits: TransportTraits): Codec {
  const { framing, maxMessageBytes } = traits;
  if (settings.codec === "dns") return createDnsCodec({ query: settings.query, framing });
  if (settings.sizeBytes > maxMessageBytes) {
    throw new UsageError(
      `--size ${settings.sizeBytes} does not fit: this transport carries messages of at most ` +
        `${maxMessageBytes} bytes`,
    );
  }
  return createEchoCodec({ sizeBytes: settings.sizeBytes, framing });
}
