import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

/** The address of a holdfast's statistics: `http://host:9464/`, or `host:9464`; plain text. */
export const httpUrl: Kind<string> = {
  placeholder: "url",
  parse(text) {
    const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
    if (url === null || url.protocol !== "http:" || url.hostname === "" || url.username !== "") {
      throw new UsageError(
        `${
          quote(text)
        } is not the URL of a server's statistics; write it as the server prints it, ` +
          `such as http://10.0.0.5:9464/`,
      );
    }
    return url.href;
  },
  format: (href) => href,
};
