import { nowNs } from "../../stats/clock.ts";
import { IntervalHistogram } from "../../stats/interval_histogram.ts";
import { codes } from "../message/codes.ts";
import { type ProbePlan, sessionsOf } from "./plan.ts";
import { requestKinds, RequestRing } from "./request_ring.ts";
import { emptyRequestCounts, type RequestCounts } from "./snapshot.ts";

/** Places of requests in each session: more are kept only where the plan needs them. */
const placesBounds = { least: 16, most: 65_536 } as const;

/** What became of the publications and calls of this process. */
export class Requests {
  readonly publications: RequestCounts = emptyRequestCounts();
  readonly calls: RequestCounts = emptyRequestCounts();
  /** ERRORs by URI, and wrong results. */
  readonly errors: Record<string, number> = {};
  readonly acknowledgement = new IntervalHistogram();
  readonly call = new IntervalHistogram();
  readonly #ring: RequestRing;
  readonly #timeoutNs: number;
  readonly #completed: (publisher: number) => void;
  /** Counters of publications, by publisher. */
  readonly #unacknowledged = new Map<number, number[]>();

  /** @param completed a request of this publisher has its answer, or will get none. */
  constructor(plan: ProbePlan, perIteration: number, completed: (publisher: number) => void) {
    this.#ring = new RequestRing(sessionsOf(plan), placesFor(plan, perIteration));
    this.#timeoutNs = plan.timeoutMs * 1e6;
    this.#completed = completed;
  }

  get inFlight(): number {
    return this.publications.inFlight + this.calls.inFlight;
  }

  /** A request is being sent; returns its place. */
  add(
    session: number,
    request: number,
    kind: number,
    intendedNs: number,
    publisher: number,
    counter: number,
    digest: Uint8Array | undefined,
  ): number {
    const counts = kind === requestKinds.publish ? this.publications : this.calls;
    counts.due++;
    counts.sent++;
    counts.inFlight++;
    // A place that is still taken: its request has waited for longer than the plan foresees.
    if (this.#ring.isTaken(session, request)) {
      this.#ring.giveUp(session, Infinity, (_, slot) => this.lose(slot, "timeout"));
    }
    const slot = this.#ring.add(session, request, kind, intendedNs);
    this.#ring.publisher[slot] = publisher;
    this.#ring.counter[slot] = counter;
    if (digest !== undefined) this.#ring.setFingerprint(slot, digest);
    return slot;
  }

  /** RESULT: the first argument is a list that begins with the fingerprint of the payload. */
  result(session: number, request: number, args: unknown): void {
    const slot = this.#ring.find(session, request);
    const result: unknown = Array.isArray(args) ? args[0] : undefined;
    const found: unknown = Array.isArray(result) ? result[0] : undefined;
    const isRight = slot >= 0 && this.#ring.hasFingerprint(slot, found);
    if (slot >= 0 && !isRight) this.#countError("wrong fingerprint");
    this.answered(session, request, requestKinds.call, isRight);
  }

  /** ERROR in answer to a request of this kind of message. */
  refused(session: number, code: number, request: number, uri: string): void {
    if (code !== codes.publish && code !== codes.call) return;
    const kind = code === codes.publish ? requestKinds.publish : requestKinds.call;
    const slot = this.#ring.find(session, request);
    if (slot >= 0 && this.#ring.kind[slot] === kind) this.#countError(uri);
    this.answered(session, request, kind, false);
  }

  #countError(uri: string): void {
    this.errors[uri] = (this.errors[uri] ?? 0) + 1;
  }

  /** A request has its answer; `isRight`: the one that was hoped for. */
  answered(session: number, request: number, kind: number, isRight: boolean): void {
    const counts = kind === requestKinds.publish ? this.publications : this.calls;
    const slot = this.#ring.find(session, request);
    if (slot < 0 || this.#ring.kind[slot] !== kind) {
      counts.late++;
      return;
    }
    counts.inFlight--;
    if (isRight) {
      counts.answered++;
      const histogram = kind === requestKinds.publish ? this.acknowledgement : this.call;
      histogram.record(nowNs() - this.#ring.intendedNs[slot]!);
    } else {
      counts.refused++;
      if (kind === requestKinds.publish) this.#isUnacknowledged(slot);
    }
    this.#ring.free(slot);
    this.#completed(this.#ring.publisher[slot]!);
  }

  /** A request will get no answer. */
  lose(slot: number, reason: "timeout" | "closed" | "unanswered"): void {
    const isPublication = this.#ring.kind[slot] === requestKinds.publish;
    const counts = isPublication ? this.publications : this.calls;
    counts.inFlight--;
    counts[reason]++;
    if (isPublication) this.#isUnacknowledged(slot);
    this.#ring.free(slot);
    this.#completed(this.#ring.publisher[slot]!);
  }

  #isUnacknowledged(slot: number): void {
    const publisher = this.#ring.publisher[slot]!;
    const list = this.#unacknowledged.get(publisher);
    if (list === undefined) this.#unacknowledged.set(publisher, [this.#ring.counter[slot]!]);
    else list.push(this.#ring.counter[slot]!);
  }

  /** The session is gone, and with it what it has not had an answer to. */
  sessionLost(session: number): void {
    this.#ring.giveUp(session, Infinity, (_, slot) => this.lose(slot, "closed"));
    this.#ring.reset(session);
  }

  /** Gives up what has waited for too long. */
  expire(atNs: number): void {
    const beforeNs = atNs - this.#timeoutNs;
    for (let session = 0; session < this.#ring.sessions; session++) {
      this.#ring.giveUp(session, beforeNs, (_, slot) => this.lose(slot, "timeout"));
    }
  }

  /** Whatever has no answer yet will not get one. */
  giveUpAll(): void {
    for (let session = 0; session < this.#ring.sessions; session++) {
      this.#ring.giveUp(session, Infinity, (_, slot) => this.lose(slot, "unanswered"));
    }
  }

  /** Counters of a publisher's publications that were not acknowledged, in rising order. */
  unacknowledgedOf(publisher: number): Float64Array {
    return Float64Array.from(this.#unacknowledged.get(publisher) ?? []).sort();
  }
}

/** Room for what can be out at the same time: of a closed loop that is known. */
function placesFor(plan: ProbePlan, perIteration: number): number {
  const { isOpenLoop, ratePerSecond, timeoutMs, loops } = plan;
  const iterations = isOpenLoop ? Math.ceil(ratePerSecond * (timeoutMs / 1000)) + 1 : 2;
  const needed = iterations * loops * perIteration + 4;
  const bounded = Math.min(placesBounds.most, Math.max(placesBounds.least, needed));
  return 2 ** Math.ceil(Math.log2(bounded));
}
