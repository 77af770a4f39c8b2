import { sharedClockOffsetNs } from "../../host/shared_clock.ts";
import { nowNs } from "../../stats/clock.ts";
import { IntervalHistogram } from "../../stats/interval_histogram.ts";
import { codes } from "../message/codes.ts";
import type { Event, RouterMessage } from "../message/message.ts";
import type { ClientSessions } from "../session/client_sessions.ts";
import { CborEventScanner } from "./cbor_event_scanner.ts";
import { readEvent } from "./decoded_event.ts";
import { CounterBook, type PublisherTotal } from "./counter_book.ts";
import { DueHeap } from "./due_heap.ts";
import type { EventFields, EventScanner } from "./event_scanner.ts";
import { JsonEventScanner } from "./json_event_scanner.ts";
import { MsgpackEventScanner } from "./msgpack_event_scanner.ts";
import { PayloadMaker } from "./payload_maker.ts";
import {
  allPublishersOf,
  phaseOf,
  type ProbePlan,
  publisherName,
  publishersOf,
  sessionsOf,
  topic,
} from "./plan.ts";
import { PublisherNames } from "./publisher_names.ts";
import { requestKinds } from "./request_ring.ts";
import { Requests } from "./requests.ts";

const scanners: Readonly<Record<ProbePlan["serializer"], () => EventScanner>> = {
  json: () => new JsonEventScanner(),
  msgpack: () => new MsgpackEventScanner(),
  cbor: () => new CborEventScanner(),
};

const publishOptions = { acknowledge: true, exclude_me: false } as const;
/** Above this nothing more is queued for a router that does not read. */
const mostPendingBytes = 2 ** 20;
/** At most so many iterations in one turn of the event loop, so that answers are read in between. */
const mostPerStep = 256;

export interface LoadHandlers {
  isReady(session: number): boolean;
  /** `step` has something to do now, sooner than it said. */
  wakeUp(): void;
}

/**
 * Publishes and calls by plan, and keeps the books of what comes back.
 *
 * As Crossbar's example does, a publisher goes on to its next iteration when every answer of the last
 * one has come and the time has come: at the earliest 1/rate after the last one was due. With
 * `isOpenLoop` every iteration is due by plan, whatever the answers do. First iterations are spread
 * evenly over 1/rate.
 */
export class ProbeLoad {
  readonly requests: Requests;
  readonly events = { received: 0, forwarded: 0, payloadBytes: 0, foreign: 0 };
  readonly bytes = { sent: 0, received: 0 };
  readonly delivery = new IntervalHistogram();
  readonly lateness = new IntervalHistogram();
  readonly book: CounterBook;
  readonly #plan: ProbePlan;
  readonly #handlers: LoadHandlers;
  readonly #heap: DueHeap;
  readonly #scanner: EventScanner;
  readonly #names: PublisherNames;
  readonly #payloads: PayloadMaker;
  readonly #intervalNs: number;
  readonly #perIteration: number;
  /** By publisher of this process. */
  readonly #iterations: Uint32Array;
  readonly #dueNs: Float64Array;
  readonly #outstanding: Uint32Array;
  /** Its next iteration was due before the answers of the last one had come. */
  readonly #isOverdue: Uint8Array;
  readonly #labels: readonly string[];
  readonly #clockOffsetNs = sharedClockOffsetNs();
  readonly #digest = new Uint8Array(32);
  #endNs = Infinity;
  #sessions!: ClientSessions;

  constructor(plan: ProbePlan, handlers: LoadHandlers) {
    const publishers = publishersOf(plan);
    this.#plan = plan;
    this.#handlers = handlers;
    this.#intervalNs = 1e9 / plan.ratePerSecond;
    this.#perIteration = plan.stride * (1 + plan.procedures.length);
    this.book = new CounterBook(sessionsOf(plan), allPublishersOf(plan));
    this.requests = new Requests(
      plan,
      this.#perIteration,
      (publisher) => this.#complete(publisher),
    );
    this.#heap = new DueHeap(publishers);
    this.#scanner = scanners[plan.serializer]();
    this.#names = new PublisherNames(plan);
    this.#payloads = new PayloadMaker(plan.payloadBytes, plan.runTag);
    this.#iterations = new Uint32Array(publishers);
    this.#dueNs = new Float64Array(publishers);
    this.#outstanding = new Uint32Array(publishers);
    this.#isOverdue = new Uint8Array(publishers);
    this.#labels = Array.from(
      { length: publishers },
      (_, publisher) => publisherName(plan, plan.client, publisher),
    );
  }

  attach(sessions: ClientSessions): void {
    this.#sessions = sessions;
  }

  /** The plan begins (clock time). */
  begin(atNs: number): void {
    this.#endNs = atNs + this.#plan.durationMs * 1e6;
    for (let publisher = 0; publisher < this.#dueNs.length; publisher++) {
      const dueNs = atNs + phaseOf(this.#plan, publisher) * this.#intervalNs;
      this.#dueNs[publisher] = dueNs;
      this.#heap.push(publisher, dueNs);
    }
  }

  /** The plan ends; what was due and not sent is the probe's own fault. */
  end(atNs: number): void {
    const endNs = Math.min(this.#endNs, atNs);
    this.#endNs = -Infinity;
    const { stride, procedures } = this.#plan;
    while (this.#heap.size > 0) {
      const publisher = this.#heap.pop();
      if (this.#outstanding[publisher]! > 0 && !this.#plan.isOpenLoop) continue;
      const lateNs = endNs - this.#dueNs[publisher]!;
      if (lateNs <= 0) continue;
      const missed = this.#plan.isOpenLoop ? Math.ceil(lateNs / this.#intervalNs) : 1;
      this.#skip("generatorLate", missed * stride, procedures.length);
    }
  }

  /** Does what is due; returns when it wants to be called again (clock time). */
  step(atNs: number): number {
    const heap = this.#heap;
    const untilNs = Math.min(atNs, this.#endNs - 1);
    for (let count = 0; heap.nextNs <= untilNs; count++) {
      if (count === mostPerStep) return atNs;
      this.#iterate(heap.pop(), atNs);
    }
    return heap.nextNs < this.#endNs ? heap.nextNs : Infinity;
  }

  #iterate(publisher: number, atNs: number): void {
    const { isOpenLoop, stride, procedures, loops } = this.#plan;
    if (!isOpenLoop && this.#outstanding[publisher]! > 0) {
      this.#isOverdue[publisher] = 1;
      return;
    }
    const intendedNs = this.#dueNs[publisher]!;
    this.#dueNs[publisher] = intendedNs + this.#intervalNs;
    this.#heap.push(publisher, this.#dueNs[publisher]!);
    const session = Math.floor(publisher / loops);
    if (!this.#handlers.isReady(session)) {
      return this.#skip("noConnection", stride, procedures.length);
    }
    if (this.#sessions.pendingBytes(session) > mostPendingBytes) {
      return this.#skip("heldBack", stride, procedures.length);
    }
    this.lateness.record(atNs - intendedNs);
    const iteration = this.#iterations[publisher]!;
    this.#iterations[publisher] = iteration + 1;
    this.#outstanding[publisher]! += this.#perIteration;
    for (let counter = 0; counter < stride; counter++) {
      this.#publish(session, publisher, iteration, counter, intendedNs);
    }
  }

  #skip(
    reason: "noConnection" | "heldBack" | "generatorLate",
    publications: number,
    procedures: number,
  ): void {
    const { publications: published, calls } = this.requests;
    published.due += publications;
    published[reason] += publications;
    calls.due += publications * procedures;
    calls[reason] += publications * procedures;
  }

  #publish(
    session: number,
    publisher: number,
    iteration: number,
    counter: number,
    intendedNs: number,
  ): void {
    const { urls, procedures, stride } = this.#plan;
    const url = urls[session % urls.length]!.text;
    const payload = this.#payloads.next(intendedNs + this.#clockOffsetNs);
    const args = [this.#labels[publisher], url, iteration, counter, payload];
    const number = iteration * stride + counter;
    const publish = requestKinds.publish;
    this.#request(session, publisher, publish, intendedNs, number, undefined, (request) => [
      codes.publish,
      request,
      publishOptions,
      topic,
      args,
    ]);
    if (procedures.length === 0) return;
    const digest = this.#digest;
    Bun.SHA256.hash(payload, digest);
    for (const procedure of procedures) {
      const call = requestKinds.call;
      this.#request(session, publisher, call, intendedNs, number, digest, (request) => [
        codes.call,
        request,
        {},
        procedure,
        args,
      ]);
    }
  }

  #request(
    session: number,
    publisher: number,
    kind: number,
    intendedNs: number,
    counter: number,
    digest: Uint8Array | undefined,
    message: (request: number) => readonly unknown[],
  ): void {
    const request = this.#sessions.nextRequest(session);
    const slot = this.requests.add(session, request, kind, intendedNs, publisher, counter, digest);
    if (this.#handlers.isReady(session)) {
      this.bytes.sent += this.#sessions.send(session, message(request));
    } else {
      this.requests.lose(slot, "closed");
    }
  }

  /** Reads an event without decoding it. */
  raw(session: number, bytes: Uint8Array): boolean {
    this.bytes.received += bytes.length;
    const scanner = this.#scanner;
    if (!scanner.scan(bytes)) return false;
    const publisher = this.#names.find(bytes, scanner.nameAt, scanner.nameEnd);
    this.#event(session, publisher, scanner);
    return true;
  }

  #event(session: number, publisher: number, event: EventFields): void {
    const { events } = this;
    const { stride, runTag } = this.#plan;
    if (publisher < 0 || event.tag !== runTag || event.counter >= stride) {
      events.foreign++;
      return;
    }
    events.received++;
    events.payloadBytes += event.payloadBytes;
    if (event.isForwarded) events.forwarded++;
    if (!this.book.receive(session, publisher, event.loop * stride + event.counter)) return;
    const intendedNs = event.timeHigh * 2 ** 32 + event.timeLow - this.#clockOffsetNs;
    this.delivery.record(nowNs() - intendedNs);
  }

  message(session: number, message: RouterMessage): void {
    switch (message[0]) {
      case codes.published:
        return this.requests.answered(session, message[1], requestKinds.publish, true);
      case codes.result:
        return this.requests.result(session, message[1], message[3]);
      case codes.error:
        return this.requests.refused(session, message[1], message[2], message[4]);
      case codes.event:
        return this.#decodedEvent(session, message);
    }
  }

  /** An event in a form that the scanner does not know. */
  #decodedEvent(session: number, message: Event): void {
    const event = readEvent(message);
    if (event === undefined) {
      this.events.foreign++;
      return;
    }
    const name = new TextEncoder().encode(event.name);
    this.#event(session, this.#names.find(name, 0, name.length), event);
  }

  /** One request fewer is out; the last of an iteration makes way for the next one. */
  #complete(publisher: number): void {
    const left = --this.#outstanding[publisher]!;
    if (left > 0 || this.#isOverdue[publisher] === 0) return;
    this.#isOverdue[publisher] = 0;
    const dueNs = nowNs();
    this.#dueNs[publisher] = dueNs;
    this.#heap.push(publisher, dueNs);
    this.#handlers.wakeUp();
  }

  /** The session is gone, and with it what it has not had an answer to. */
  lost(session: number): void {
    this.requests.sessionLost(session);
    this.book.away(session);
  }

  back(session: number): void {
    this.book.back(session);
  }

  /** How many publications each publisher of this process has sent until now. */
  publishedCounts(): Float64Array {
    return Float64Array.from(this.#iterations, (iterations) => iterations * this.#plan.stride);
  }

  /** What each publisher of this process has done. */
  totals(): PublisherTotal[] {
    return [...this.#iterations].map((iterations, publisher) => ({
      published: iterations * this.#plan.stride,
      unacknowledged: this.requests.unacknowledgedOf(publisher),
    }));
  }
}
