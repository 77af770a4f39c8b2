import { contentOf } from "./kernel_file.ts";

/** Bits of capabilities(7). */
export const capabilities = { netAdmin: 12, sysAdmin: 21, sysResource: 24 } as const;

/**
 * Whether this process has a capability that counts for the whole host: in a user namespace it does
 * not.
 */
export function hasCapability(bit: number): boolean {
  return isOfHost(contentOf("/proc/self/uid_map")) &&
    capabilityIn(contentOf("/proc/self/status"), bit);
}

/** Whether the line `CapEff:` of `/proc/self/status` has the bit. */
export function capabilityIn(status: string, bit: number): boolean {
  const match = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status);
  return match !== null && (BigInt(`0x${match[1]}`) >> BigInt(bit) & 1n) === 1n;
}

/** A user namespace that is the host's own maps all ids to themselves. */
export function isOfHost(uidMap: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}
