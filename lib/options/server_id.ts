import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

/** What a server calls itself: 1 to 32 letters, digits and `._:-`. */
export const serverId: Kind<string> = {
  placeholder: "id",
  parse(text) {
    if (!/^[A-Za-z0-9._:-]{1,32}$/.test(text)) {
      throw new UsageError(
        `${quote(text)} is not an id; write 1 to 32 letters, digits, dots, colons, _ and -`,
      );
    }
    return text;
  },
  format: (value) => value,
};
