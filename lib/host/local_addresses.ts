import { networkInterfaces } from "node:os";

/**
 * Whether a socket of this host can be bound to an address, found by binding one. True too where
 * that failed for another reason than the address. About 30 µs.
 */
export function isLocalAddress(address: string): boolean {
  try {
    Bun.listen({ hostname: address, port: 0, socket: { data() {} } }).stop(true);
    return true;
  } catch (error) {
    const { code } = error as { code?: unknown };
    return code !== "EADDRNOTAVAIL" && code !== "EINVAL";
  }
}

/** The addresses of this host's interfaces, of one family, those of the loopback last. */
export function interfaceAddresses(isIPv6: boolean): string[] {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
    .filter(({ family }) => family === (isIPv6 ? "IPv6" : "IPv4"));
  const [outer, inner] = [false, true].map((internal) =>
    all.filter((entry) => entry.internal === internal)
  );
  return [...outer ?? [], ...inner ?? []].map(({ address }) => address);
}
