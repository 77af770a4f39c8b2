import { messageOf, TargetUnreachableError } from "../errors.ts";
import type { ServerSnapshot } from "../stats/snapshot.ts";
import { parseSnapshot } from "../stats/snapshot_json.ts";

/** A server's statistics are there within this time, or are not there. */
const answerWithinMs = 5000;
/** A snapshot has some kilobytes. */
const maxAnswerBytes = 4 * 1024 * 1024;
const headEnd = Buffer.from("\r\n\r\n");

type Socket = Bun.Socket<undefined>;

/**
 * The statistics of a holdfast server, read again and again over one connection that is opened before
 * the load: at the descriptor limit nothing else can be opened, and `fetch` ends the process there.
 */
export class ServerStats {
  #socket: Socket | undefined;
  #received = Buffer.alloc(0);
  #waiting: { resolve(body: string): void; reject(error: Error): void } | undefined;
  #latest: ServerSnapshot | undefined;
  #latestAtMs = NaN;
  #askedAtMs = NaN;
  #isAsking = false;
  /** Why nothing more can come. */
  #failure: string | undefined;

  private constructor(private readonly url: URL) {}

  /**
   * Connects and reads a first time.
   *
   * @param url of the server's statistics, as it prints it; with or without `/stats`.
   * @throws {TargetUnreachableError} nothing answers there, or something else than a holdfast server.
   */
  static async open(url: URL): Promise<ServerStats> {
    const stats = new ServerStats(url);
    try {
      await within(answerWithinMs, stats.#connect());
      stats.#latest = await within(answerWithinMs, stats.#read());
      stats.#latestAtMs = performance.now();
    } catch (cause) {
      stats.close();
      if (cause instanceof TargetUnreachableError) throw cause;
      throw new TargetUnreachableError(
        `--server-stats ${url.href}: ${messageOf(cause)}; give the URL that the server prints as ` +
          `"statistics on", as it is reached from here (the server's own --stats option says on ` +
          `which address)`,
        { cause },
      );
    }
    return stats;
  }

  /** What came last. */
  get latest(): ServerSnapshot | undefined {
    return this.#latest;
  }

  /** For how long the server has owed an answer; 0 where it owes none. */
  get silentMs(): number {
    return this.#isAsking ? performance.now() - this.#askedAtMs : 0;
  }

  /** Why nothing more can be read, where that is so. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Asks for the state of now, unless an answer is still awaited; the answer becomes `latest`. */
  ask(): void {
    if (this.#isAsking || this.#failure !== undefined) return;
    this.#isAsking = true;
    this.#askedAtMs = performance.now();
    this.#read().then((snapshot) => {
      this.#latest = snapshot;
      this.#latestAtMs = performance.now();
      this.#isAsking = false;
    }, (error) => {
      this.#failure = messageOf(error);
      this.#isAsking = false;
    });
  }

  /** Waits for the answer that is owed, but not for longer than `ms`. */
  async settle(ms: number): Promise<void> {
    const deadlineMs = performance.now() + ms;
    while (this.#isAsking && performance.now() < deadlineMs) await Bun.sleep(10);
  }

  /** Age of `latest`. */
  get ageMs(): number {
    return performance.now() - this.#latestAtMs;
  }

  close(): void {
    this.#failure ??= "closed";
    this.#socket?.terminate();
  }

  async #connect(): Promise<void> {
    const { hostname, port } = this.url;
    this.#socket = await Bun.connect<undefined>({
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? 80 : Number(port),
      socket: {
        data: (_socket, bytes) => this.#data(bytes),
        close: () => this.#ended("the server closed the connection"),
        error: (_socket, error) => this.#ended(messageOf(error)),
        end: () => this.#ended("the server closed the connection"),
      },
    });
  }

  async #read(): Promise<ServerSnapshot> {
    const body = await this.#get("/stats");
    const snapshot = parseSnapshot(body);
    if (snapshot.role === "server") return snapshot;
    throw new TargetUnreachableError(
      `--server-stats ${this.url.href}: these are the statistics of a client, not of a server`,
    );
  }

  #get(path: string): Promise<string> {
    if (this.#failure !== undefined) return Promise.reject(new Error(this.#failure));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket!.write(
        `GET ${path} HTTP/1.1\r\nHost: ${this.url.host}\r\nAccept: application/json\r\n\r\n`,
      );
    });
  }

  #data(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    if (this.#received.length > maxAnswerBytes) return this.#ended("the answer is too long");
    const answer = parseAnswer(this.#received);
    if (answer === undefined) return;
    this.#received = Buffer.alloc(0);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (answer.status === 200) waiting?.resolve(answer.body);
    else waiting?.reject(new Error(`it answers with status ${answer.status}`));
  }

  #ended(reason: string): void {
    this.#failure ??= reason;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(new Error(reason));
    this.#socket?.terminate();
  }
}

/**
 * An HTTP/1.1 answer (RFC 9112) with a Content-Length or in chunks; undefined while it is not whole.
 *
 * @throws {Error} it is none.
 */
export function parseAnswer(
  received: Uint8Array,
): { readonly status: number; readonly body: string } | undefined {
  const bytes = Buffer.from(received.buffer, received.byteOffset, received.byteLength);
  const end = bytes.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const status = Number(/^HTTP\/1\.[01] (\d{3})\b/.exec(head)?.[1]);
  const body = bytes.subarray(end + headEnd.length);
  if (Number.isNaN(status)) return { status: 0, body: "" };
  if (/^transfer-encoding:\s*chunked\s*$/im.test(head)) {
    const text = unchunked(body);
    return text === undefined ? undefined : { status, body: text };
  }
  const length = Number(/^content-length:\s*(\d+)\s*$/im.exec(head)?.[1] ?? 0);
  if (body.length < length) return undefined;
  return { status, body: body.toString("utf8", 0, length) };
}

function unchunked(body: Buffer): string | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = body.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = parseInt(body.toString("latin1", at, lineEnd), 16);
    if (!(size >= 0)) return "";
    at = lineEnd + 2;
    if (body.length < at + size + 2) return undefined;
    if (size === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(body.subarray(at, at + size));
    at += size + 2;
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
