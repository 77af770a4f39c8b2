import { nowNs } from "../stats/clock.ts";
import type { RunIdentity, ServerSnapshot } from "../stats/snapshot.ts";
import { formatEndpoint } from "../transport/endpoint.ts";
import { transports } from "../transport/registry.ts";
import { Admission } from "./admission.ts";
import { DescriptorWatch } from "./descriptor_watch.ts";
import { RefusalNotes } from "./refusal_notes.ts";
import { type ServedEndpoint, serveEndpoints } from "./served_endpoints.ts";
import type { Serving, ServingSettings } from "./serving.ts";
import { serverSnapshot } from "./snapshot.ts";

/** How often refusals that were not said yet, and a lack of descriptors, are looked for. */
const watchEveryMs = 1000;

/** Endpoints that this process serves. */
export class LocalServing implements Serving {
  readonly #run: RunIdentity;
  readonly #startNs: number;
  readonly #served: readonly ServedEndpoint[];
  readonly #notes: RefusalNotes;
  readonly #watch: ReturnType<typeof setInterval>;

  /**
   * Binds all endpoints or none.
   *
   * @throws {HoldfastError} one of them cannot be bound.
   */
  static async start(of: ServingSettings): Promise<LocalServing> {
    const { endpoints, settings, certificate, note } = of;
    const notes = new RefusalNotes(note);
    const elapsedMs = () => (nowNs() - of.startNs) / 1e6;
    const served = await serveEndpoints(endpoints, transports, {
      certificate,
      backlog: settings.backlog,
      reusePort: settings.reusePort,
      idleTimeoutMs: settings.idleTimeoutMs,
      maxMessageBytes: settings.maxMessageBytes,
      maxPendingBytes: settings.maxPendingBytes,
      alpn: settings.alpn,
      serverId: of.serverId,
      admission: new Admission(settings.maxConnections ?? Infinity),
      elapsedMs,
      refused: (endpoint, detail) =>
        notes.add(`${formatEndpoint(endpoint)}: ${detail}`, elapsedMs()),
    });
    return new LocalServing(of, served, notes);
  }

  private constructor(
    of: ServingSettings,
    served: readonly ServedEndpoint[],
    notes: RefusalNotes,
  ) {
    this.#run = of.run;
    this.#startNs = of.startNs;
    this.#served = served;
    this.#notes = notes;
    const descriptors = new DescriptorWatch(of.note);
    this.#watch = setInterval(() => {
      notes.flush(this.#elapsedMs());
      descriptors.look();
    }, watchEveryMs);
  }

  get names(): readonly string[] {
    return this.#served.map(({ name }) => name);
  }

  snapshot(): ServerSnapshot {
    return serverSnapshot(
      this.#run,
      this.#elapsedMs(),
      this.#served.map(({ name, counters }) => ({ endpoint: name, counts: counters.counts() })),
    );
  }

  /** First nobody new anywhere, then the end of every connection. */
  async stop(): Promise<void> {
    clearInterval(this.#watch);
    for (const { listener } of this.#served) listener.stopAccepting();
    await Promise.all(this.#served.map(({ listener }) => listener.shutdown()));
    this.#notes.flush(Infinity);
  }

  #elapsedMs(): number {
    return (nowNs() - this.#startNs) / 1e6;
  }
}
