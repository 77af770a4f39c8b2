import { isIP } from "node:net";
import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

/** Ports from `first` to `last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `first-last`, or one port. */
export const portRange: Kind<PortRange> = {
  placeholder: "first-last",
  parse(text) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!(first >= 1 && first <= last && last <= 65535)) {
      throw new UsageError(
        `${quote(text)} is not a range of ports; write first-last with first ≤ last and both ` +
          `from 1 to 65535, such as 1024-65535`,
      );
    }
    return { first, last };
  },
  format: ({ first, last }) => first === last ? `${first}` : `${first}-${last}`,
};

/** An IP address, with all that have the same first bits where there is a prefix length. */
export interface AddressRange {
  readonly address: string;
  readonly prefixLength?: number;
}

/** Addresses and blocks of them (CIDR), separated by commas. */
export const addressList: Kind<readonly AddressRange[]> = {
  placeholder: "ip[,ip...]|cidr",
  parse(text) {
    return text.split(",").map((part) => parseAddressRange(part.trim()));
  },
  format: (ranges) =>
    ranges.map(({ address, prefixLength }) =>
      prefixLength === undefined ? address : `${address}/${prefixLength}`
    ).join(","),
};

function parseAddressRange(text: string): AddressRange {
  const match = /^\[?([0-9a-fA-F:.]+)\]?(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? "";
  const family = isIP(address);
  if (family === 0) {
    throw new UsageError(
      `${quote(text)} is not an IP address; write 10.0.0.5, fd00::5, a list 10.0.0.5,10.0.0.6 or ` +
        `a block 10.0.0.0/28`,
    );
  }
  const bits = family === 6 ? 128 : 32;
  const length = match?.[2];
  if (length === undefined) return { address };
  if (Number(length) > bits) {
    throw new UsageError(
      `${quote(text)} has the prefix length ${length}; an IPv${family} address has ${bits} bits`,
    );
  }
  return { address, prefixLength: Number(length) };
}

/** Where the statistics are served. An empty host is every address; port 0 is any free one. */
export interface StatsAddress {
  readonly host: string;
  readonly port: number;
}

/** The host that a bare port stands on. */
const localHost = "127.0.0.1";

/** `host:port`, `:port` (every address), `port` (this host only), or `off`. */
export const statsAddress: Kind<StatsAddress | "off"> = {
  placeholder: "host:port|off",
  parse(text) {
    if (text.toLowerCase() === "off") return "off";
    const match = /^(?:(\[[0-9a-fA-F:.%]+\]|[^:/?#[\]\s]*):)?(\d{1,5})$/.exec(text);
    const port = Number(match?.[2]);
    if (match === null || port > 65535) {
      throw new UsageError(
        `${quote(text)} is not an address to listen on; write host:port, :port for every ` +
          `address, a port alone for this host only, or off`,
      );
    }
    const host = match[1] ?? localHost;
    return { host: host.startsWith("[") ? host.slice(1, -1) : host, port };
  },
  format(value) {
    if (value === "off") return value;
    return `${value.host.includes(":") ? `[${value.host}]` : value.host}:${value.port}`;
  },
};
