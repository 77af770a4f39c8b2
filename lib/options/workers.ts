import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";
import { count } from "./quantity.ts";

/** How many processes; `auto`: as many as the host has use for. */
export type Workers = number | "auto";

/** More of them than a host has cores only take turns; this keeps a slip from starting thousands. */
export const mostWorkers = 1024;

export const workers: Kind<Workers> = {
  placeholder: "n|auto",
  parse(text) {
    if (text.toLowerCase() === "auto") return "auto";
    let value = NaN;
    try {
      value = count.parse(text);
    } catch {
      // The message below says what can be written here.
    }
    if (!(value <= mostWorkers)) {
      throw new UsageError(
        `${quote(text)} is no number of workers; write one from 1 to ${mostWorkers}, or auto`,
      );
    }
    return value;
  },
  format: String,
};
