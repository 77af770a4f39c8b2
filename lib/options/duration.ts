import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

const unitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  µs: 0.001,
  μs: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The longest duration: timers of the runtime hold 2^31 - 1 ms, a little more than this. */
export const maxDurationMs = 24 * 86_400_000;

const part = /(\d+(?:\.\d+)?|\.\d+)(us|µs|μs|ms|s|m|h|d)/y;

/** A time span with its unit, in milliseconds: `500ms`, `1.5s`, `2m`, `1m30s`, and `0`. */
export const duration: Kind<number> = {
  placeholder: "d",
  parse: parseDuration,
  format: formatDuration,
};

/** A time span that is not 0, in milliseconds. */
export const positiveDuration: Kind<number> = {
  placeholder: "d",
  parse(text) {
    const ms = parseDuration(text);
    if (ms === 0) {
      throw new UsageError(`${quote(text)} is no time at all; write a longer one, such as 10s`);
    }
    return ms;
  },
  format: formatDuration,
};

function parseDuration(text: string): number {
  if (/^0+(\.0*)?$/.test(text)) return 0;
  if (/^(\d+(\.\d+)?|\.\d+)$/.test(text)) {
    throw new UsageError(`${quote(text)} has no unit; write ${text}s for seconds, or ${text}ms`);
  }
  let ms = 0;
  part.lastIndex = 0;
  while (part.lastIndex < text.length || text === "") {
    const match = part.exec(text);
    if (match === null) {
      throw new UsageError(
        `${quote(text)} is not a duration; write a number and its unit (us, ms, s, m, h, d), ` +
          `such as 500ms, 1.5s or 2m`,
      );
    }
    ms += Number(match[1]) * (unitMs[match[2] ?? ""] ?? NaN);
  }
  if (ms > maxDurationMs) throw new UsageError(`${quote(text)} is longer than 24d, the limit`);
  // Sums and products of decimal fractions are exact to the nanosecond, not beyond.
  return Math.round(ms * 1e6) / 1e6;
}

/** The duration in the largest unit that shows it exactly without a long fraction. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  for (const unit of ["d", "h", "m"]) {
    const size = unitMs[unit] ?? NaN;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  if (ms >= 1000 && ms % 100 === 0) return `${ms / 1000}s`;
  if (ms >= 1) return `${ms}ms`;
  return `${Math.round(ms * 1e6) / 1e3}us`;
}
