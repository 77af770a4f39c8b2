import type { Output } from "./output.ts";

/** A moment on both clocks, by which times of the monotonic one become timestamps. */
export interface ClockReading {
  /** Wall clock: milliseconds since the epoch, fractions welcome. */
  readonly epochMs: number;
  /** Monotonic clock (`lib/stats/clock.ts`) at the same moment. */
  readonly atNs: number;
}

const header = "type,timestamp,connection_id,query_id,poisson_id,poisson_interval_us,rtt_us\n";

/**
 * The longest row: type, a timestamp of 16 digits and 9 decimals, three integers of 10 digits, one
 * of 16, six commas and the end of the line.
 */
const maxRowBytes = 96;
const chunkBytes = 64 * 1024;

const comma = 0x2c;
const dot = 0x2e;
const newline = 0x0a;
const zero = 0x30;

/** `000` to `999`, three bytes each: a division then yields three digits instead of one. */
const triplets = new TextEncoder().encode(
  Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, "0")).join(""),
);

/**
 * The log of every message, in the columns of tcpscaler's `-R`:
 *
 * - `Q,seconds.nanoseconds,connection_id,query_id,poisson_id,poisson_interval_us,` when a message
 *   is sent; the interval is empty where there is none, as in tcpscaler since its commit 67cab4b,
 * - `A,seconds.nanoseconds,connection_id,query_id,,,rtt_us` when its answer comes.
 *
 * Timestamps are seconds since the epoch with nine decimals; intervals and round trips are whole
 * microseconds.
 *
 * Rows are formatted into one buffer of 64 KiB, without a string for each, and written when it is
 * full. A row takes about 0.1 µs.
 *
 * Source: `tcpclient.c` and `udpclient.c` of https://github.com/jonglezb/tcpscaler.
 */
export class CsvLog {
  readonly #output: Output;
  readonly #bytes = new Uint8Array(chunkBytes);
  #length: number;
  readonly #baseSeconds: number;
  readonly #baseNs: number;

  constructor(output: Output, clock: ClockReading) {
    this.#output = output;
    this.#baseSeconds = Math.floor(clock.epochMs / 1000);
    this.#baseNs = Math.round((clock.epochMs - this.#baseSeconds * 1000) * 1e6) - clock.atNs;
    this.#length = new TextEncoder().encodeInto(header, this.#bytes).written;
  }

  /**
   * A message was sent.
   *
   * @param sentNs monotonic clock.
   * @param poissonId which arrival process it belongs to.
   * @param intervalUs time from the message before it in that process; NaN leaves it empty.
   */
  query(
    sentNs: number,
    connectionId: number,
    queryId: number,
    poissonId: number,
    intervalUs: number,
  ): void {
    let at = this.#begin(0x51, sentNs, connectionId, queryId);
    const bytes = this.#bytes;
    at = putInteger(bytes, at, poissonId);
    bytes[at++] = comma;
    if (intervalUs >= 0) at = putInteger(bytes, at, intervalUs);
    bytes[at++] = comma;
    bytes[at++] = newline;
    this.#length = at;
  }

  /**
   * An answer came.
   *
   * @param receivedNs monotonic clock.
   * @param rttUs from the send to the answer, taken down to whole microseconds.
   */
  answer(receivedNs: number, connectionId: number, queryId: number, rttUs: number): void {
    let at = this.#begin(0x41, receivedNs, connectionId, queryId);
    const bytes = this.#bytes;
    bytes[at++] = comma;
    bytes[at++] = comma;
    at = putInteger(bytes, at, rttUs);
    bytes[at++] = newline;
    this.#length = at;
  }

  /** Writes what waits in the buffer. To be called at the end, and as often as wanted. */
  flush(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    this.#output.write(this.#bytes.subarray(0, length));
  }

  /** The columns that all rows have. Returns where the row goes on. */
  #begin(type: number, atNs: number, connectionId: number, queryId: number): number {
    if (this.#length > chunkBytes - maxRowBytes) this.flush();
    const sinceBaseNs = this.#baseNs + Math.floor(atNs);
    const seconds = Math.floor(sinceBaseNs / 1e9);
    const ns = (sinceBaseNs - seconds * 1e9) | 0;
    const us = (ns / 1000) | 0;
    const ms = (us / 1000) | 0;
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = type;
    bytes[at++] = comma;
    at = putInteger(bytes, at, this.#baseSeconds + seconds);
    bytes[at++] = dot;
    at = putTriplet(bytes, at, ms);
    at = putTriplet(bytes, at, us - ms * 1000);
    at = putTriplet(bytes, at, ns - us * 1000);
    bytes[at++] = comma;
    at = putInteger(bytes, at, connectionId);
    bytes[at++] = comma;
    at = putInteger(bytes, at, queryId);
    bytes[at++] = comma;
    return at;
  }
}

/** A number from 0 up, taken down to a whole one; negative ones and NaN count as 0. */
function putInteger(bytes: Uint8Array, at: number, value: number): number {
  if (!(value >= 1)) {
    bytes[at] = zero;
    return at + 1;
  }
  if (value >= 0x8000_0000) {
    // Above 31 bits: in two parts, of which the lower one has exactly nine digits.
    const upper = Math.floor(Math.min(value, Number.MAX_SAFE_INTEGER) / 1e9);
    const lower = (Math.min(value, Number.MAX_SAFE_INTEGER) - upper * 1e9) | 0;
    const thousands = (lower / 1000) | 0;
    const millions = (thousands / 1000) | 0;
    at = putInteger(bytes, at, upper);
    at = putTriplet(bytes, at, millions);
    at = putTriplet(bytes, at, thousands - millions * 1000);
    return putTriplet(bytes, at, lower - thousands * 1000);
  }
  const whole = value | 0;
  if (whole < 1000) return putUpTo999(bytes, at, whole);
  const thousands = (whole / 1000) | 0;
  if (thousands < 1000) {
    at = putUpTo999(bytes, at, thousands);
    return putTriplet(bytes, at, whole - thousands * 1000);
  }
  const millions = (thousands / 1000) | 0;
  at = millions < 1000 ? putUpTo999(bytes, at, millions) : putInteger(bytes, at, millions);
  at = putTriplet(bytes, at, thousands - millions * 1000);
  return putTriplet(bytes, at, whole - thousands * 1000);
}

/** 1 to 3 digits. */
function putUpTo999(bytes: Uint8Array, at: number, value: number): number {
  const from = value * 3;
  if (value >= 100) bytes[at++] = triplets[from]!;
  if (value >= 10) bytes[at++] = triplets[from + 1]!;
  bytes[at++] = triplets[from + 2]!;
  return at;
}

function putTriplet(bytes: Uint8Array, at: number, value: number): number {
  const from = value * 3;
  bytes[at] = triplets[from]!;
  bytes[at + 1] = triplets[from + 1]!;
  bytes[at + 2] = triplets[from + 2]!;
  return at + 3;
}
