import { UsageError } from "../errors.ts";
import { positiveDuration } from "./duration.ts";
import { type Kind, quote } from "./kind.ts";
import { count } from "./quantity.ts";

/** So many connections, and then a pause. */
export interface Step {
  readonly connections: number;
  readonly holdMs: number;
}

/** `500/10s`: a number and the time to hold after it. */
export const step: Kind<Step> = {
  placeholder: "n/d",
  parse(text) {
    const [connections = "", hold = "", ...more] = text.split("/");
    if (hold === "" || more.length > 0) {
      throw new UsageError(
        `${quote(text)} is not a step; write how many connections and how long to hold after ` +
          `them, such as 500/10s`,
      );
    }
    return { connections: count.parse(connections), holdMs: positiveDuration.parse(hold) };
  },
  format: ({ connections, holdMs }) => `${connections}/${positiveDuration.format(holdMs)}`,
};
