import { UsageError } from "../../errors.ts";
import { type Kind, quote } from "../../options/kind.ts";

/** Node ids, separated by commas. */
export const nodeIds: Kind<readonly number[]> = {
  placeholder: "id[,id...]",
  parse(text) {
    const ids = text.split(",").map((part) => part.trim());
    const wrong = ids.find((id) => !/^\d{1,5}$/.test(id));
    if (wrong !== undefined) {
      throw new UsageError(
        `${quote(wrong)} is not the id of a node; write a number from 0 on, or several as in 1,2`,
      );
    }
    const numbers = ids.map(Number);
    if (new Set(numbers).size < numbers.length) {
      throw new UsageError(`${quote(text)} names a node twice`);
    }
    return numbers;
  },
  format: (ids) => ids.join(","),
};
