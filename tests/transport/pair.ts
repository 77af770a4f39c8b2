import assert from "node:assert/strict";
import type { Failure, FailureKind } from "../../lib/stats/failure.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import type {
  Connections,
  Dialer,
  DialSettings,
  Listener,
  ListenSettings,
  Transport,
} from "../../lib/transport/transport.ts";
import { dialSettings, EchoRecorder, listenSettings, Recorder, until } from "./recorder.ts";

/** A transport under test, and what is particular about it. */
export interface Subject {
  /** Distinguishes two subjects of one scheme: `quic datagrams`. */
  readonly name: string;
  readonly transport: Transport;
  /** File in `lib/transport/` that exports the transport under its scheme's name. */
  readonly file: string;
  /** What raw bytes travel on, for the garbage checks. */
  readonly carrier: "tcp" | "udp";
  readonly listen?: () => Promise<Partial<ListenSettings>>;
  readonly dial?: () => Promise<Partial<DialSettings>>;
  /** What a dialer may say about a port on which nobody listens. */
  readonly refusedKinds: readonly FailureKind[];
  /** What a side may say when the other ended at once. */
  readonly resetKinds: readonly FailureKind[];
  /** Connections that the check with many of them opens; 1000 where it is left out. */
  readonly connections?: number;
  /** How long this transport may take to see that its peer is gone. */
  readonly noticeWithinMs?: number;
}

export interface PairOptions {
  readonly capacity?: number;
  readonly listen?: Partial<ListenSettings>;
  readonly dial?: Partial<DialSettings>;
  /** What the listener does; echoes where it is left out. */
  readonly server?: Recorder;
}

/** A listener on loopback and a dialer to it; disposing of it checks what the contract promises. */
export class Pair implements AsyncDisposable {
  #connects = 0;

  private constructor(
    readonly client: Recorder,
    readonly dialer: Dialer,
    readonly server: Recorder,
    readonly listener: Listener,
    /** What the listener turned away. */
    readonly refusals: Failure[],
  ) {}

  static async open(subject: Subject, options: PairOptions = {}): Promise<Pair> {
    const { transport } = subject;
    const server = options.server ?? new EchoRecorder();
    const refusals: Failure[] = [];
    const listener = await transport.listen(
      loopback(subject),
      server,
      listenSettings(refusals, { ...(await subject.listen?.()), ...options.listen }),
    );
    if (server instanceof EchoRecorder) server.connections = listener;
    const client = new Recorder("dialer");
    const dialer = await transport.dial(
      listener.endpoint,
      client,
      dialSettings(options.capacity ?? 16, { ...(await subject.dial?.()), ...options.dial }),
    );
    return new Pair(client, dialer, server, listener, refusals);
  }

  /** Starts a connection. */
  connect(id: number): void {
    this.#connects++;
    this.dialer.connect(id);
  }

  /** Starts a connection and waits until it is open, or has failed. */
  async settled(id: number): Promise<boolean> {
    const record = this.client.of(id);
    const { opens, closes } = record;
    this.connect(id);
    await until(
      () => record.opens > opens || record.closes > closes,
      `open(${id}) or close(${id})`,
    );
    return record.opens > opens;
  }

  /** Opens a connection; where the transport tells, waits until the listener knows it too. */
  async opened(id: number): Promise<void> {
    const accepted = this.server.total("opens");
    const isOpen = await this.settled(id);
    const { failure } = this.client.of(id);
    assert.ok(isOpen, `open(${id}) expected, closed as ${failure?.kind}: ${failure?.detail}`);
    if (this.dialer.traits.reliable) {
      await until(() => this.server.total("opens") > accepted, "open on the listener");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dialer.shutdown();
    await this.listener.shutdown();
    const { client, server } = this;
    await until(() => client.openIds.length + server.openIds.length === 0, "every close");
    await Bun.sleep(20); // whatever comes late would be a second close
    assert.deepEqual(client.violations, []);
    assert.deepEqual(server.violations, []);
    assert.equal(client.total("closes"), this.#connects, "one close for each connect");
    assert.equal(server.total("closes"), server.total("opens"), "one close for each open");
  }
}

/** Where the listeners under test are bound. */
export function loopback(subject: Subject, port = 0): Endpoint {
  return { scheme: subject.transport.scheme, host: "127.0.0.1", port, lastPort: port, path: "/" };
}

/** One end of an open connection. */
export interface End {
  readonly connections: Connections;
  readonly recorder: Recorder;
  readonly id: number;
}
