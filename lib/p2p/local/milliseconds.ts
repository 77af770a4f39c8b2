import { UsageError } from "../../errors.ts";
import { type Kind, quote } from "../../options/kind.ts";

const leastMs = 0.01;
const mostMs = 86_400_000;

/** A number of milliseconds without its unit, which is in the option's name: `1000`, `0.5`. */
export const milliseconds: Kind<number> = {
  placeholder: "ms",
  parse(text) {
    const ms = /^(\d+(\.\d+)?|\.\d+)$/.test(text) ? Number(text) : NaN;
    if (!(ms >= leastMs && ms <= mostMs)) {
      throw new UsageError(
        `${quote(text)} is not a number of milliseconds from ${leastMs} to ${mostMs}, such as ` +
          `1000 or 0.5`,
      );
    }
    return ms;
  },
  format: String,
};
