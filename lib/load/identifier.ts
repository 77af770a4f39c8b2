import { readServerId, serverQuestion, serverQuestionBytes } from "../codec/server_id.ts";
import type { Failure } from "../stats/failure.ts";
import type { ConnectionHandlers, Dialer, TransportTraits } from "../transport/transport.ts";

// State of a connection; 0: not open below.
const asking = 1;
const known = 2;
const wrongAnswer = 3;
const endedEarly = 4;

const failures: Readonly<Record<number, Failure>> = {
  [wrongAnswer]: {
    kind: "protocol",
    detail: "the target did not echo the question for its id (--identify)",
  },
  [endedEarly]: {
    kind: "closed-by-peer",
    detail: "the connection ended before its server was identified",
  },
};

/**
 * Connections that ask their server for its id before they count as open: a dialer on top of another.
 * A proxy that accepts what it cannot pass on is found out this way.
 *
 * A connection costs one byte, a reference, and the answer while it is incomplete.
 */
export class Identifier implements Dialer {
  /** What the dialer below reports to. */
  readonly below: ConnectionHandlers;
  private dialer: Dialer | undefined;
  private readonly state: Uint8Array;
  private readonly ids: (string | undefined)[] = [];
  /** Each id once, whatever number of connections has it. */
  private readonly texts = new Map<string, string>();
  private readonly started = new Map<number, Uint8Array>();

  constructor(connections: number, private readonly above: ConnectionHandlers) {
    this.state = new Uint8Array(connections);
    for (let id = 0; id < connections; id++) this.ids.push(undefined);
    this.below = {
      open: (id) => this.ask(id),
      data: (id, bytes, isText) => {
        if (this.state[id] === known) this.above.data(id, bytes, isText);
        else this.takeAnswer(id, bytes, isText);
      },
      drain: (id) => {
        if (this.state[id] === known) this.above.drain(id);
      },
      end: (id) => {
        if (this.state[id] === known) this.above.end(id);
        else this.fail(id, endedEarly);
      },
      close: (id, failure) => this.closed(id, failure),
    };
  }

  /** Sets the dialer below, which was made with `below`. */
  attach(dialer: Dialer): Dialer {
    this.dialer = dialer;
    return this;
  }

  get traits(): TransportTraits {
    return this.dialer!.traits;
  }

  /** The id that the server announced, else its address. */
  serverOf(id: number): string | undefined {
    return this.ids[id] ?? this.dialer!.serverOf?.(id);
  }

  connect(id: number): void {
    this.dialer!.connect(id);
  }

  private ask(id: number): void {
    this.state[id] = asking;
    const { length } = serverQuestion;
    // A connection that has just opened has room for it; where it has not, the connect times out.
    this.dialer!.send(id, serverQuestion, 0, length, length);
  }

  private takeAnswer(id: number, bytes: Uint8Array, isText: boolean): void {
    if (this.state[id] !== asking) return;
    const before = this.started.get(id);
    const answer = before === undefined ? bytes : Buffer.concat([before, bytes]);
    if (answer.length < serverQuestionBytes) {
      this.started.set(id, answer.slice());
      return;
    }
    if (before !== undefined) this.started.delete(id);
    const text = readServerId(answer);
    if (text === undefined) return this.fail(id, wrongAnswer);
    this.ids[id] = text === "" ? undefined : this.shared(text);
    this.state[id] = known;
    this.above.open(id);
    const rest = answer.subarray(serverQuestionBytes);
    if (rest.length > 0 && this.state[id] === known) this.above.data(id, rest, isText);
  }

  private shared(text: string): string {
    const found = this.texts.get(text);
    if (found === undefined) this.texts.set(text, text);
    return found ?? text;
  }

  private fail(id: number, reason: number): void {
    if (this.state[id] !== asking) return;
    this.state[id] = reason;
    this.dialer!.terminate(id);
  }

  private closed(id: number, failure: Failure | undefined): void {
    const reason = failures[this.state[id]!] ?? failure;
    this.state[id] = 0;
    this.ids[id] = undefined;
    if (this.started.size > 0) this.started.delete(id);
    this.above.close(id, reason);
  }

  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
    isText?: boolean,
  ): number {
    return this.dialer!.send(id, bytes, offset, length, messageBytes, isText);
  }

  pause(id: number): void {
    this.dialer!.pause(id);
  }

  resume(id: number): void {
    this.dialer!.resume(id);
  }

  finish(id: number): void {
    this.dialer!.finish(id);
  }

  close(id: number): void {
    this.dialer!.close(id);
  }

  terminate(id: number): void {
    this.dialer!.terminate(id);
  }

  shutdown(): Promise<void> {
    return this.dialer!.shutdown();
  }
}
