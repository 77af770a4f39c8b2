import { UsageError } from "../errors.ts";
import { formatDuration, positiveDuration } from "./duration.ts";
import { type Kind, quote } from "./kind.ts";

/** Bounds of waits that grow from one try to the next. */
export interface WaitBounds {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Waits that grow: `100ms..10s`, from the first to the last, or one that does not: `1s`. */
export const backoff: Kind<WaitBounds> = {
  placeholder: "first..last",
  parse(text) {
    const [first = "", last = first, ...more] = text.split("..");
    const firstMs = positiveDuration.parse(first);
    const lastMs = positiveDuration.parse(last);
    if (more.length > 0 || firstMs > lastMs) {
      throw new UsageError(
        `${quote(text)} is not a backoff; write the first and the longest wait, such as ` +
          `100ms..10s`,
      );
    }
    return { firstMs, lastMs };
  },
  format({ firstMs, lastMs }) {
    const first = formatDuration(firstMs);
    return firstMs === lastMs ? first : `${first}..${formatDuration(lastMs)}`;
  },
};
