import { UsageError } from "../../errors.ts";
import { type Kind, quote } from "../../options/kind.ts";

/**
 * Multiaddresses, separated by commas. Whether each is one that can be dialed is said when the
 * network starts.
 */
export const multiaddresses: Kind<readonly string[]> = {
  placeholder: "addresses",
  parse(text) {
    const list = text.split(",").map((one) => one.trim()).filter((one) => one !== "");
    const wrong = list.find((one) => !/^\/[^/\s]+\/[^/\s]/.test(one));
    if (list.length > 0 && wrong === undefined) return list;
    throw new UsageError(
      `${
        quote(wrong ?? text)
      } is no multiaddress; write /ip4/10.0.0.5/tcp/10000, several of them ` +
        `separated by commas`,
    );
  },
  format: (list) => list.join(","),
};
