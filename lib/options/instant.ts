import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

/** Seconds since 1970 up to the year 2286, with a fraction or without. */
const epoch = /^\d{9,10}(?:\.\d+)?$/;
const timeOfDay = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?$/;
const isoDate = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/;

/**
 * An instant as milliseconds since 1970: ISO 8601 (in local time, unless it says otherwise), seconds
 * since 1970, or a time of this day in local time.
 */
export const instant: Kind<number> = {
  placeholder: "time",
  parse(text) {
    if (epoch.test(text)) return Math.round(Number(text) * 1000);
    const [, hours, minutes, seconds = "0"] = timeOfDay.exec(text) ?? [];
    if (hours !== undefined) {
      return new Date().setHours(Number(hours), Number(minutes), 0, 0) +
        Math.round(Number(seconds) * 1000);
    }
    const ms = isoDate.test(text) ? Date.parse(text) : NaN;
    if (Number.isNaN(ms)) {
      throw new UsageError(
        `${
          quote(text)
        } is no instant; write 2026-07-01T12:00:00Z, 12:00, 12:00:30 or the seconds ` +
          `since 1970`,
      );
    }
    return ms;
  },
  format: (ms) => new Date(ms).toISOString(),
};
