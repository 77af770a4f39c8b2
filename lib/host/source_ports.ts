import { UsageError } from "../errors.ts";
import { canonicalAddress, readUsedPorts, type UsedPorts } from "./used_ports.ts";

export interface SourcePortSettings {
  /** IP addresses of this host. */
  readonly addresses: readonly string[];
  /** 1 to 65535; both ends are included. */
  readonly firstPort: number;
  readonly lastPort: number;
  /** Which pair comes first, as an index into the table (modulo its size); 0 where left out. */
  readonly startAt?: number;
  /** Whose ports they are; TCP where it is left out. */
  readonly protocol?: "tcp" | "udp";
  /** What to skip; where it is left out, what the kernel now says of this protocol's sockets. */
  readonly used?: UsedPorts;
}

/**
 * A table of source addresses and ports that hands out each pair once. It replaces the kernel's own
 * search for a free port, which takes milliseconds per connection when most of its range is in use.
 *
 * The addresses take turns, so that each port is used on every one before the next port comes. Pairs
 * that were in use when the table was made are skipped; that others may take some later shows as
 * EADDRINUSE, and the caller moves on to the next.
 *
 * Costs a byte per pair.
 */
export class SourcePorts {
  /** The pair that `next` moved on to. */
  address = "";
  port = 0;

  private readonly addresses: readonly string[];
  private readonly firstPort: number;
  private readonly isTaken: Uint8Array;
  private freePairs: number;
  private index: number;

  /** @throws {UsageError} no address, one that is none, or a range that is none. */
  constructor(settings: SourcePortSettings) {
    const { addresses, firstPort, lastPort, startAt = 0 } = settings;
    if (addresses.length === 0) {
      throw new UsageError("there is no source address; give at least one");
    }
    const canonical = addresses.map((address) => {
      const known = canonicalAddress(address);
      if (known !== undefined) return known;
      throw new UsageError(`source address "${address}" is no IP address; write it as 127.0.0.1`);
    });
    if (!(isPort(firstPort) && isPort(lastPort) && firstPort <= lastPort)) {
      throw new UsageError(
        `source ports ${firstPort}-${lastPort} are no range; write first-last, from 1 to 65535`,
      );
    }
    const used = settings.used ?? readUsedPorts(settings.protocol ?? "tcp");
    this.addresses = [...addresses];
    this.firstPort = firstPort;
    this.isTaken = new Uint8Array(addresses.length * (lastPort - firstPort + 1));
    this.freePairs = this.isTaken.length;
    for (let port = firstPort; port <= lastPort; port++) {
      for (const [at, address] of canonical.entries()) {
        if (used.has(address, port)) this.take((port - firstPort) * addresses.length + at);
      }
    }
    this.index = (Math.trunc(startAt) % this.isTaken.length + this.isTaken.length) %
      this.isTaken.length;
  }

  /** How many pairs can still be handed out. */
  get free(): number {
    return this.freePairs;
  }

  /** Moves on to the next pair that was not handed out; false, and no move, when none is left. */
  next(): boolean {
    if (this.freePairs === 0) return false;
    const { isTaken, addresses } = this;
    while (isTaken[this.index] === 1) this.index = this.following();
    this.take(this.index);
    this.address = addresses[this.index % addresses.length]!;
    this.port = this.firstPort + Math.floor(this.index / addresses.length);
    this.index = this.following();
    return true;
  }

  /** A pair that `next` gave is free again; its turn comes when the others had theirs. */
  release(address: string, port: number): void {
    const at = this.addresses.indexOf(address);
    const index = (port - this.firstPort) * this.addresses.length + at;
    if (at < 0 || this.isTaken[index] !== 1) return;
    this.isTaken[index] = 0;
    this.freePairs++;
  }

  private following(): number {
    return this.index + 1 === this.isTaken.length ? 0 : this.index + 1;
  }

  private take(index: number): void {
    if (this.isTaken[index] === 1) return;
    this.isTaken[index] = 1;
    this.freePairs--;
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}
