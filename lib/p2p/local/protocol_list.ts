import { UsageError } from "../../errors.ts";
import { type Kind, oneOf, quote } from "../../options/kind.ts";
import { type NetworkProtocol, networkProtocols } from "../network/network.ts";

/** Two or more protocols, separated by commas. */
export const protocolList: Kind<readonly NetworkProtocol[]> = {
  placeholder: "name,name[,name]",
  parse(text) {
    const protocols = text.split(",").map((part) => {
      const name = part.trim().toLowerCase();
      const found = networkProtocols.find((protocol) => protocol === name);
      if (found !== undefined) return found;
      throw new UsageError(`${quote(part.trim())} is unknown; use ${oneOf(networkProtocols)}`);
    });
    if (protocols.length < 2 || new Set(protocols).size < protocols.length) {
      throw new UsageError(
        `${quote(text)} compares nothing; name two or three different ones, such as ` +
          networkProtocols.join(","),
      );
    }
    return protocols;
  },
  format: (protocols) => protocols.join(","),
};
