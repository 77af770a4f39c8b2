import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

/**
 * A number in a unit that the option's name tells already (`--heartbeat-millis 0.5`), with a fraction
 * or without.
 *
 * @param unit as in "a number of seconds".
 */
export function plainNumber(
  unit: string,
  placeholder: string,
  least: number,
  most: number,
): Kind<number> {
  return {
    placeholder,
    parse(text) {
      const value = /^(\d+(\.\d+)?|\.\d+)$/.test(text) ? Number(text) : NaN;
      if (!(value >= least && value <= most)) {
        throw new UsageError(
          `${quote(text)} is not a number of ${unit} from ${least} to ${most}, such as ` +
            `${Math.min(most, Math.max(least, 1000))} or ${Math.max(least, 0.5)}`,
        );
      }
      return value;
    },
    format: String,
  };
}

const dayMs = 86_400_000;

/** Milliseconds without their unit: `1000`, `0.5`. */
export const milliseconds: Kind<number> = plainNumber("milliseconds", "ms", 0.01, dayMs);

/** Seconds without their unit: `4000`, `0.5`; 24 days at most. */
export const seconds: Kind<number> = plainNumber("seconds", "s", 0.01, 24 * (dayMs / 1000));
