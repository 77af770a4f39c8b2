import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { messageOf, TargetUnreachableError, UsageError } from "../errors.ts";
import type { SourceAddresses } from "./transport.ts";

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

/**
 * The addresses of a host that can be reached from these sources; all of them without sources.
 *
 * @throws {UsageError} none has a family that the sources have.
 * @throws {TargetUnreachableError} the host does not resolve.
 */
export async function resolveTarget(
  host: string,
  sources: Pick<SourceAddresses, "hasFamily"> | undefined,
): Promise<string[]> {
  const addresses = await resolveHost(host);
  if (sources === undefined) return addresses;
  const reachable = addresses.filter((address) => sources.hasFamily(address.includes(":")));
  if (reachable.length > 0) return reachable;
  const [family, other] = addresses[0]!.includes(":") ? ["IPv6", "IPv4"] : ["IPv4", "IPv6"];
  throw new UsageError(
    `the target ${addresses.join(", ")} is ${family}, and every source address is ${other}; ` +
      `give an ${family} address of this host with --source`,
  );
}

/** An address and a port as one text, IPv6 in brackets. */
export function hostPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
