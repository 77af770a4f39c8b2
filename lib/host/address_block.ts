import { canonicalAddress } from "./used_ports.ts";

/** An address with all that have the same first bits (RFC 4632); one address without a length. */
export interface AddressBlock {
  readonly address: string;
  readonly prefixLength?: number | undefined;
}

/**
 * The addresses of a block that a host can have, in ascending order: without the network's own and
 * the broadcast address (IPv4, up to /30), without the routers' anycast address (IPv6, RFC 4291
 * 2.6.1, up to /126).
 *
 * @param most no more than these.
 */
export function addressesOfBlock(block: AddressBlock, most: number): string[] {
  const { prefixLength } = block;
  if (prefixLength === undefined) return [block.address];
  const bits = bitsOf(block.address);
  const [first, size] = extentOf(block, bits);
  const end = first + size - (bits === 32 && prefixLength <= 30 ? 1n : 0n);
  const found: string[] = [];
  for (let at = prefixLength <= bits - 2 ? first + 1n : first; at < end; at++) {
    if (found.length === most) break;
    found.push(textOf(at, bits));
  }
  return found;
}

/** How many addresses `addressesOfBlock` knows; exact up to 2^53. */
export function sizeOfBlock(block: AddressBlock): number {
  const { prefixLength } = block;
  if (prefixLength === undefined) return 1;
  const bits = bitsOf(block.address);
  const left = bits - prefixLength;
  if (left < 2) return 2 ** left;
  return 2 ** left - (bits === 32 ? 2 : 1);
}

function extentOf({ address, prefixLength = 0 }: AddressBlock, bits: number): [bigint, bigint] {
  const size = 1n << BigInt(bits - prefixLength);
  const number = numberOf(address);
  return [number - number % size, size];
}

function bitsOf(address: string): number {
  return address.includes(":") ? 128 : 32;
}

/** The address as a whole number, the first byte the highest. */
function numberOf(address: string): bigint {
  const digits = address.includes(":") ? groupsOf(address) : bytesOf(address);
  return BigInt(`0x${digits.join("")}`);
}

function bytesOf(address: string): string[] {
  return address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
}

/** The eight groups of an IPv6 address, four digits each. */
function groupsOf(address: string): string[] {
  const canonical = canonicalAddress(address) ?? address;
  const [head = "", tail] = canonical.split("::");
  const split = (part: string) => part === "" ? [] : part.split(":");
  const [before, after] = [split(head), split(tail ?? "")];
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: missing }, () => "0"), ...after]
    .map((group) => group.padStart(4, "0"));
}

function textOf(number: bigint, bits: number): string {
  const digits = number.toString(16).padStart(bits / 4, "0");
  if (bits === 32) return digits.match(/../g)!.map((byte) => parseInt(byte, 16)).join(".");
  const groups = digits.match(/..../g)!.join(":");
  return canonicalAddress(groups) ?? groups;
}
