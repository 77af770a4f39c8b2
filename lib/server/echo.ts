import type { Failure } from "../stats/failure.ts";
import type { Scheme } from "../transport/endpoint.ts";
import type { ConnectionHandlers, Connections } from "../transport/transport.ts";
import type { Admission } from "./admission.ts";
import type { EndpointCounters } from "./endpoint_counters.ts";
import type { Introductions } from "./introductions.ts";
import { WaitingEcho } from "./waiting_echo.ts";

// State of a connection, as bits; 0 is an id that is free.
const open = 1;
/** Echo waits; reading is paused. */
const blocked = 2;
/** The peer has finished sending. */
const ended = 4;
/** Not let in, and being ended; nothing of it is counted. */
const refused = 8;
/** Ended because too much echo waited. */
const overrun = 16;
/** The next bytes may ask for this server's id: the first of a connection, all datagrams. */
const mayAsk = 32;

const tooMuchWaits: Failure = {
  kind: "host-memory",
  detail: "the peer does not read, and more echo waited than --max-pending allows",
};

export interface EchoSettings {
  readonly scheme: Scheme;
  /** Echo that may wait on a connection besides the piece that is being sent. */
  readonly maxPendingBytes: number;
  /** Milliseconds since the start of the run. */
  elapsedMs(): number;
  /** Called for each connection that was not let in, because `Admission` has no room. */
  refused(): void;
  /** Answers who asks for this server's id. */
  readonly introductions?: Introductions;
}

/**
 * Sends back what comes in on one endpoint, and counts.
 *
 * When a connection takes no more, the rest of the piece is kept and reading pauses until the peer
 * has read: a client that sends and never reads costs the kernel's two buffers and one piece (at
 * most what the runtime reads at once, 512 KiB on TCP). Where reading cannot pause, further pieces
 * wait up to `maxPendingBytes`; a connection above that is ended.
 *
 * A connection costs one byte here, and a `WaitingEcho` while it is blocked.
 */
export class EchoHandlers implements ConnectionHandlers {
  readonly #settings: EchoSettings;
  readonly #counters: EndpointCounters;
  readonly #admission: Admission;
  #connections: Connections = notListening;
  #state = new Uint8Array(1024);
  readonly #waiting = new Map<number, WaitingEcho>();

  constructor(settings: EchoSettings, counters: EndpointCounters, admission: Admission) {
    this.#settings = settings;
    this.#counters = counters;
    this.#admission = admission;
    // Datagrams all come under this id, which is never opened.
    if (settings.scheme === "udp") this.#state[0] = this.#opened;
  }

  get #opened(): number {
    return this.#settings.introductions === undefined ? open : open | mayAsk;
  }

  /** Sets the listener. What came while it was being made is answered now. */
  attach(connections: Connections): void {
    this.#connections = connections;
    for (let id = 0; id < this.#state.length; id++) {
      const state = this.#state[id]!;
      if ((state & refused) !== 0) {
        connections.terminate(id);
      } else if ((state & blocked) !== 0) {
        connections.pause(id);
        this.#flush(id);
      } else if ((state & ended) !== 0) {
        connections.close(id);
      }
    }
  }

  open(id: number): void {
    if (id >= this.#state.length) {
      const grown = new Uint8Array(2 * id);
      grown.set(this.#state);
      this.#state = grown;
    }
    if (this.#admission.room === 0) {
      this.#state[id] = refused; // first, because close may be called within terminate
      this.#settings.refused();
      this.#connections.terminate(id);
      return;
    }
    this.#state[id] = this.#opened;
    this.#admission.enter();
    this.#counters.accepted++;
    this.#counters.open++;
  }

  data(id: number, bytes: Uint8Array, isText: boolean): void {
    const state = this.#state[id]!;
    if ((state & open) === 0) return;
    const counters = this.#counters;
    const { length } = bytes;
    counters.messages++;
    counters.bytesReceived += length;
    if (state !== open) {
      if ((state & mayAsk) !== 0) this.#introduce(id, bytes, isText);
      else this.#wait(id, bytes, isText);
      return;
    }
    this.#echo(id, bytes, isText);
  }

  #echo(id: number, bytes: Uint8Array, isText: boolean): void {
    const counters = this.#counters;
    const { length } = bytes;
    const accepted = this.#connections.send(id, bytes, 0, length, length, isText);
    counters.bytesSent += accepted;
    if (accepted < length) this.#hold(id, bytes, accepted, isText);
  }

  /** Echoes bytes that may ask for this server's id, or answers them. */
  #introduce(id: number, bytes: Uint8Array, isText: boolean): void {
    const introductions = this.#settings.introductions!;
    if (this.#settings.scheme === "udp") {
      return this.#echo(id, introductions.datagram(bytes), isText);
    }
    const echo = introductions.first(id, bytes);
    if (echo === undefined) return;
    this.#state[id]! &= ~mayAsk;
    this.#echo(id, echo, isText);
  }

  drain(id: number): void {
    if ((this.#state[id]! & blocked) !== 0) this.#flush(id);
  }

  end(id: number): void {
    const state = this.#state[id]!;
    if ((state & open) === 0) return;
    const rest = this.#settings.introductions?.rest(id);
    if (rest !== undefined) this.#echo(id, rest, false);
    if (this.#state[id] === 0) return; // it was closed within send
    this.#state[id]! |= ended;
    if ((this.#state[id]! & blocked) === 0) this.#connections.close(id);
  }

  close(id: number, failure: Failure | undefined): void {
    const state = this.#state[id]!;
    this.#state[id] = 0;
    this.#waiting.delete(id);
    this.#settings.introductions?.rest(id);
    if ((state & open) === 0) return;
    const counters = this.#counters;
    this.#admission.leave();
    counters.open--;
    const reason = failure ?? ((state & overrun) !== 0 ? tooMuchWaits : undefined);
    if (reason === undefined || reason.kind === "closed-by-peer") {
      counters.closed++;
    } else {
      counters.failed++;
      counters.failures.record(reason, this.#settings.elapsedMs());
    }
  }

  /** Keeps what a connection did not take, and stops reading from it. */
  #hold(id: number, bytes: Uint8Array, accepted: number, isText: boolean): void {
    if (this.#settings.scheme === "udp") {
      this.#counters.dropped++; // a datagram waits for nobody
      return;
    }
    if (this.#state[id] === 0) return; // it was closed within send
    this.#state[id]! |= blocked;
    this.#waiting.set(id, new WaitingEcho(bytes, accepted, isText));
    this.#connections.pause(id);
  }

  /** Takes a piece that came although reading is paused. */
  #wait(id: number, bytes: Uint8Array, isText: boolean): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return; // it is being closed: nobody awaits this
    if (waiting.costBytes + bytes.length <= this.#settings.maxPendingBytes) {
      waiting.add(bytes, isText);
      return;
    }
    this.#state[id]! |= overrun;
    this.#waiting.delete(id);
    // A reset makes the runtime read on in spite of the pause: its close comes first, and says so.
    setImmediate(() => {
      if ((this.#state[id]! & overrun) !== 0) this.#connections.terminate(id);
    });
  }

  #flush(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    do {
      const { bytes, offset, isText } = waiting.first;
      const { length } = bytes;
      const accepted = this.#connections.send(id, bytes, offset, length - offset, length, isText);
      this.#counters.bytesSent += accepted;
      if (this.#state[id] === 0) return; // it was closed within send
      if (!waiting.advance(accepted)) return;
    } while (!waiting.isEmpty);
    this.#waiting.delete(id);
    this.#state[id]! &= ~blocked;
    if ((this.#state[id]! & ended) !== 0) this.#connections.close(id);
    else this.#connections.resume(id);
  }
}

/** Stands in until the listener is made: takes nothing, so that all of it waits. */
const notListening: Connections = {
  send: () => 0,
  pause() {},
  resume() {},
  finish() {},
  close() {},
  terminate() {},
};
