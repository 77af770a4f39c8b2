import type { Encoded } from "../serialization/serializer.ts";
import type { Connection, Group } from "../transport/connection.ts";
import type { RouterCounters } from "./counters.ts";

/** Deliveries within a window from which on events are held: about 50,000 a second. */
const busyDeliveries = 500;
const windowMs = 10;
/** How long an event is held at most. */
const holdMs = 4;
/** Entries that are held at most. */
const maxHeld = 1000;

/**
 * Hands events to the transports, in order. While there are many, those of a few milliseconds go out
 * together: then each subscriber gets them in one write, which costs router, kernel and subscriber a
 * fraction of the CPU that one write for each event does. Few events go out at once.
 */
export class Outbox {
  readonly #counters: RouterCounters;
  #held: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #windowStartMs = 0;
  #deliveries = 0;
  #isBusy = false;
  readonly #flush = () => {
    this.#timer = undefined;
    const held = this.#held;
    this.#held = [];
    for (const send of held) {
      try {
        send();
      } catch {
        // Its publisher has been answered already, and the others wait.
        this.#counters.failures++;
      }
    }
  };

  constructor(counters: RouterCounters) {
    this.#counters = counters;
  }

  /** An event to a group. */
  publish(
    group: Group,
    message: Encoded,
    except: Connection | undefined,
    isForwarded: boolean,
  ): void {
    if (!this.#holds(group.size)) return this.#publish(group, message, except, isForwarded);
    this.#hold(() => this.#publish(group, message, except, isForwarded));
  }

  /** Anything else that has to keep its place among the events. */
  then(send: () => void): void {
    if (this.#held.length === 0) send();
    else this.#hold(send);
  }

  #publish(
    group: Group,
    message: Encoded,
    except: Connection | undefined,
    isForwarded: boolean,
  ): void {
    const size = group.size - (except !== undefined && group.has(except) ? 1 : 0);
    const count = group.publish(message, except);
    this.#counters.tooLong += size - count;
    if (isForwarded) this.#counters.eventsForwarded += count;
    else this.#counters.eventsLocal += count;
  }

  /** Whether there are so many events now that they wait for each other. */
  #holds(deliveries: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#windowStartMs > windowMs) {
      const isRecent = nowMs - this.#windowStartMs < 2 * windowMs;
      this.#isBusy = isRecent && this.#deliveries >= busyDeliveries;
      this.#windowStartMs = nowMs;
      this.#deliveries = 0;
    }
    this.#deliveries += deliveries;
    // What is held keeps its place before what comes.
    return this.#isBusy || this.#held.length > 0;
  }

  #hold(send: () => void): void {
    const length = this.#held.push(send);
    if (length >= maxHeld) {
      clearTimeout(this.#timer);
      this.#flush();
    } else this.#timer ??= setTimeout(this.#flush, holdMs);
  }
}
