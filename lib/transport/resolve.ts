import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { messageOf, TargetUnreachableError } from "../errors.ts";

/**
 * The addresses of a host, in the order of preference of the system (RFC 6724). An address stands
 * for itself; an empty host is `localhost`.
 *
 * @returns at least one address, without duplicates.
 * @throws {TargetUnreachableError} the host does not resolve.
 */
export async function resolveHost(host: string): Promise<string[]> {
  const name = host === "" ? "localhost" : host;
  if (isIP(name) !== 0) return [name];
  try {
    const found = await lookup(name, { all: true, order: "verbatim" });
    const addresses = [...new Set(found.map((entry) => entry.address))];
    if (name.toLowerCase() === "localhost") {
      // Hosts files often name one family only; a server may listen on just the other.
      for (const loopback of ["127.0.0.1", "::1"]) {
        if (!addresses.includes(loopback)) addresses.push(loopback);
      }
    }
    if (addresses.length > 0) return addresses;
  } catch (cause) {
    throw new TargetUnreachableError(
      `host ${JSON.stringify(name)} does not resolve (${messageOf(cause)}); ` +
        `check the name or give an address`,
      { cause },
    );
  }
  throw new TargetUnreachableError(
    `host ${JSON.stringify(name)} has no address; check the name or give an address`,
  );
}

/** An address and a port as one text, IPv6 in brackets. */
export function hostPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
