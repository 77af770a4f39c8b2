import { type Context, Hono } from "hono";
import { HostLimitError, messageOf } from "../errors.ts";
import { prometheusContentType } from "./exposition.ts";
import type { StatsView } from "./stats_view.ts";

export interface StatsServerSettings {
  readonly hostname: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Where the port is taken: an error, or (when left out) the next free one of the 49 after it. */
  readonly isExact?: boolean;
  /** How the user chooses another address; `--stats host:port, or --stats off` when left out. */
  readonly option?: string;
  readonly view: StatsView;
}

export interface StatsServer {
  readonly url: string;
  readonly port: number;
  /** Ends open requests and frees the port. */
  stop(): Promise<void>;
}

const portsToTry = 50;
const eventIntervalMs = 1_000;

/**
 * Serves `/stats` (JSON; with `?encoded=1` the histograms have all their buckets), `/metrics`
 * (Prometheus), `/healthz`, `/events` (a snapshot a second as server-sent events) and `/` (a page
 * that shows them). Nothing is computed, and no timer runs, unless somebody asks.
 *
 * @throws {HostLimitError} no port is free, or the address cannot be bound.
 */
export function serveStats(settings: StatsServerSettings): StatsServer {
  const { hostname, port, isExact = false, view } = settings;
  const { option = "--stats host:port, or --stats off" } = settings;
  const events = new EventStream(view);
  const app = makeApp(view, events, isLoopback(hostname));
  const lastPort = port === 0 || isExact ? port : Math.min(port + portsToTry - 1, 65_535);
  for (let candidate = port; candidate <= lastPort; candidate++) {
    try {
      const server = Bun.serve({
        hostname,
        port: candidate,
        fetch: app.fetch,
        idleTimeout: 60,
        development: false,
        // With development off, Bun shares the port with other processes unless told not to.
        reusePort: false,
      });
      return {
        url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${server.port}/`,
        port: server.port!,
        async stop() {
          events.end();
          await server.stop(true);
        },
      };
    } catch (cause) {
      if ((cause as { code?: string }).code === "EADDRINUSE") continue;
      throw new HostLimitError(
        `cannot serve statistics on ${hostname} port ${candidate}: ${messageOf(cause)}; choose ` +
          `another address with ${option}`,
        { cause },
      );
    }
  }
  const taken = port === lastPort
    ? `port ${port} of ${hostname} is in use`
    : `the ports ${port} to ${lastPort} of ${hostname} are all in use`;
  throw new HostLimitError(
    `cannot serve statistics: ${taken}; choose another with ${option}`,
  );
}

function makeApp(view: StatsView, events: EventStream, loopbackOnly: boolean): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    // A page of another site can make its own name point to 127.0.0.1 and then read what is served
    // here (DNS rebinding); the Host header shows it.
    const host = new URL(context.req.url).hostname;
    if (loopbackOnly && !isLoopback(host)) {
      return context.text(`this server answers on localhost only, not as ${host}\n`, 403);
    }
    await next();
    context.header("Cache-Control", "no-store");
    context.header("X-Content-Type-Options", "nosniff");
  });
  app.get("/", (context) => {
    context.header(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'",
    );
    return context.html(view.page);
  });
  app.get("/stats", (context: Context) => {
    const encoded = ["1", "true"].includes(context.req.query("encoded") ?? "");
    return context.body(JSON.stringify(view.stats({ encoded })), 200, {
      "Content-Type": "application/json",
    });
  });
  app.get("/metrics", (context) => {
    return context.body(view.metrics(), 200, { "Content-Type": prometheusContentType });
  });
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get(
    "/events",
    (context) => context.body(events.subscribe(), 200, { "Content-Type": "text/event-stream" }),
  );
  app.notFound((context) =>
    context.text("there are /, /stats, /metrics, /events and /healthz here\n", 404)
  );
  app.onError((error, context) => context.text(`${messageOf(error)}\n`, 500));
  return app;
}

/** One event a second for all who listen. Its timer runs only while somebody does. */
class EventStream {
  readonly #view: StatsView;
  readonly #listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
  readonly #encoder = new TextEncoder();
  #timer: ReturnType<typeof setInterval> | undefined;
  #next: (() => object) | undefined;

  constructor(view: StatsView) {
    this.#view = view;
  }

  /** A stream that begins with the state of now. */
  subscribe(): ReadableStream<Uint8Array> {
    let listener: ReadableStreamDefaultController<Uint8Array>;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        listener = controller;
        this.#listeners.add(controller);
        controller.enqueue(this.#event(this.#view.stats({ encoded: false })));
        this.#timer ??= setInterval(() => this.#publish(), eventIntervalMs);
      },
      cancel: () => this.#forget(listener),
    });
  }

  end(): void {
    for (const listener of [...this.#listeners]) {
      this.#forget(listener);
      listener.close();
    }
  }

  #publish(): void {
    this.#next ??= this.#view.events();
    const event = this.#event(this.#next());
    for (const listener of this.#listeners) {
      // Who does not read gets no further events until it has; nothing piles up here.
      if ((listener.desiredSize ?? 0) > 0) listener.enqueue(event);
    }
  }

  #event(data: object): Uint8Array {
    return this.#encoder.encode(`data: ${JSON.stringify(data)}\n\n`);
  }

  #forget(listener: ReadableStreamDefaultController<Uint8Array>): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#next = undefined;
  }
}

/** Whether a name or address can only mean this host itself. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "::1" ||
    host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
