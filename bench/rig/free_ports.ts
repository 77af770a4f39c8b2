import { portUse, readUsedPorts } from "../../lib/host/used_ports.ts";

/**
 * The first of `count` neighbouring ports from `from` on that no TCP and no UDP socket holds now,
 * for programs that cannot be told to let the kernel choose.
 *
 * @throws {Error} there are none.
 */
export function findFreePorts(count: number, from: number): number {
  const used = [readUsedPorts("tcp"), readUsedPorts("udp")];
  const isFree = (port: number) =>
    used.every((table) => table.useOf("0.0.0.0", port) === portUse.free);
  for (let first = from; first + count <= 65_536; first++) {
    let free = 0;
    while (free < count && isFree(first + free)) free++;
    if (free === count) return first;
    first += free;
  }
  throw new Error(`there are no ${count} neighbouring free ports above ${from}`);
}
