import assert from "node:assert/strict";
import type { Failure } from "../../lib/stats/failure.ts";
import type {
  ConnectionHandlers,
  Connections,
  DialSettings,
  ListenSettings,
} from "../../lib/transport/transport.ts";

/** What happened on one id, over all its connections. */
export interface ConnectionRecord {
  opens: number;
  closes: number;
  ends: number;
  drains: number;
  bytes: number;
  isOpen: boolean;
  /** Copies of what `data` passed, in order. */
  chunks: { bytes: Uint8Array; isText: boolean }[];
  /** Of the last close. */
  failure: Failure | undefined;
}

/** Handlers that remember all events and note every one that the contract rules out. */
export class Recorder implements ConnectionHandlers {
  readonly records = new Map<number, ConnectionRecord>();
  readonly violations: string[] = [];
  /** On a dialer a close may come without an open; on a listener it may not. */
  readonly #isDialer: boolean;

  constructor(side: "dialer" | "listener") {
    this.#isDialer = side === "dialer";
  }

  /** The record of an id, made when it is first asked for. */
  of(id: number): ConnectionRecord {
    let record = this.records.get(id);
    if (record === undefined) {
      record = {
        opens: 0,
        closes: 0,
        ends: 0,
        drains: 0,
        bytes: 0,
        isOpen: false,
        chunks: [],
        failure: undefined,
      };
      this.records.set(id, record);
    }
    return record;
  }

  get openIds(): number[] {
    return [...this.records].filter(([, record]) => record.isOpen).map(([id]) => id);
  }

  total(field: "opens" | "closes" | "ends" | "bytes"): number {
    return [...this.records.values()].reduce((sum, record) => sum + record[field], 0);
  }

  open(id: number): void {
    const record = this.of(id);
    if (record.isOpen) this.violations.push(`open(${id}) while it was open`);
    record.isOpen = true;
    record.opens++;
  }

  data(id: number, bytes: Uint8Array, isText: boolean): void {
    const record = this.of(id);
    // A listener without connections has data but never opens.
    if (!record.isOpen && this.#isDialer) {
      this.violations.push(`data(${id}) while it was not open`);
    }
    record.bytes += bytes.length;
    record.chunks.push({ bytes: bytes.slice(), isText });
  }

  drain(id: number): void {
    this.of(id).drains++;
  }

  end(id: number): void {
    const record = this.of(id);
    if (!record.isOpen) this.violations.push(`end(${id}) while it was not open`);
    record.ends++;
  }

  close(id: number, failure: Failure | undefined): void {
    const record = this.of(id);
    if (!record.isOpen && !this.#isDialer) {
      this.violations.push(`close(${id}) while it was not open`);
    }
    record.isOpen = false;
    record.closes++;
    record.failure = failure;
  }

  /** All that came in on an id, as one piece. */
  received(id: number): Buffer {
    return Buffer.concat(this.of(id).chunks.map((chunk) => chunk.bytes));
  }
}

/** Sends back what comes, keeping what the peer does not take yet, and finishes when it does. */
export class EchoRecorder extends Recorder {
  connections: Connections | undefined;
  readonly #queues = new Map<number, { bytes: Uint8Array; offset: number; isText: boolean }[]>();
  readonly #ended = new Set<number>();

  constructor() {
    super("listener");
  }

  override data(id: number, bytes: Uint8Array, isText: boolean): void {
    this.of(id).bytes += bytes.length;
    const queue = this.#queues.get(id) ?? [];
    this.#queues.set(id, queue);
    queue.push({ bytes: bytes.slice(), offset: 0, isText });
    this.#flush(id);
  }

  override drain(id: number): void {
    super.drain(id);
    this.#flush(id);
  }

  override end(id: number): void {
    super.end(id);
    this.#ended.add(id);
    this.#flush(id);
  }

  override close(id: number, failure: Failure | undefined): void {
    super.close(id, failure);
    this.#queues.delete(id);
    this.#ended.delete(id);
  }

  #flush(id: number): void {
    const connections = this.connections;
    const queue = this.#queues.get(id) ?? [];
    for (let head = queue[0]; head !== undefined; head = queue[0]) {
      const length = head.bytes.length - head.offset;
      if (length > 0) {
        const { bytes, offset, isText } = head;
        const accepted = connections?.send(id, bytes, offset, length, bytes.length, isText) ?? 0;
        head.offset += accepted;
        if (accepted < length) return;
      }
      queue.shift();
    }
    if (this.#ended.delete(id)) connections?.finish(id);
  }
}

/** Waits until something holds, and fails with `what` when it does not in time. */
export async function until(
  holds: () => boolean,
  what: string | (() => string),
  withinMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) {
      assert.fail(`not within ${withinMs} ms: ${typeof what === "string" ? what : what()}`);
    }
    await Bun.sleep(2);
  }
}

/** Sends all of `bytes`, waiting for `drain` whenever fewer were accepted than offered. */
export async function sendAll(
  connections: Connections,
  recorder: Recorder,
  id: number,
  bytes: Uint8Array,
  messageBytes: number,
): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) {
    const drains = recorder.of(id).drains;
    const offered = bytes.length - offset;
    const accepted = connections.send(id, bytes, offset, offered, messageBytes);
    assert.ok(accepted >= 0 && accepted <= offered, `send accepted ${accepted} of ${offered}`);
    offset += accepted;
    if (offset === bytes.length) return;
    await until(
      () => recorder.of(id).drains > drains || !recorder.of(id).isOpen,
      () => `drain after ${offset} of ${bytes.length} bytes were accepted`,
    );
    assert.ok(recorder.of(id).isOpen, `closed while sending: ${recorder.of(id).failure?.detail}`);
  }
}

/** Bytes that do not repeat in any period that a mix-up of buffers could hide in. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

export function listenSettings(
  refusals: Failure[],
  own: Partial<ListenSettings> = {},
): ListenSettings {
  return {
    backlog: 4096,
    maxMessageBytes: 16 * 1024 * 1024,
    idleTimeoutMs: 0,
    maxConnections: 100_000,
    maxPendingBytes: 64 * 1024 * 1024,
    reusePort: false,
    alpn: [],
    refused: (failure) => refusals.push(failure),
    ...own,
  };
}

export function dialSettings(capacity: number, own: Partial<DialSettings> = {}): DialSettings {
  return {
    capacity,
    connectTimeoutMs: 10_000,
    tls: { insecure: true, alpn: [] },
    connectionsPerSocket: 32,
    datagrams: false,
    maxMessageBytes: 16 * 1024 * 1024,
    ...own,
  };
}
