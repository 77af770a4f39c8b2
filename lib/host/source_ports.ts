import { UsageError } from "../errors.ts";
import {
  canonicalAddress,
  type PortUse,
  portUse,
  readUsedPorts,
  type UsedPorts,
} from "./used_ports.ts";

/** Ports from `first` to `last`, both included. */
interface Ports {
  readonly first: number;
  readonly last: number;
}

/** Part `index` of `count` equal ones. */
export interface Share {
  readonly index: number;
  readonly count: number;
}

export interface SourcePortSettings {
  /** IP addresses of this host, or one that stands for all. */
  readonly addresses: readonly string[];
  /** 1 to 65535; both ends are included. */
  readonly firstPort: number;
  readonly lastPort: number;
  /** Ports of the range to leave alone. */
  readonly exceptPorts?: readonly Ports[];
  /** Which pair comes first, as an index into the table (modulo its size); 0 where left out. */
  readonly startAt?: number;
  /** Which pairs of the table are handed out here; all where it is left out. */
  readonly share?: Share;
  /** Whose ports they are; TCP where it is left out. */
  readonly protocol?: "tcp" | "udp";
  /** What to skip; where it is left out, what the kernel now says of this protocol's sockets. */
  readonly used?: UsedPorts;
}

/**
 * A table of source addresses and ports that hands out each pair once, and again when it was
 * released. It replaces the kernel's own search for a free port, which takes milliseconds per
 * connection when most of its range is in use.
 *
 * The addresses take turns, so that each port is used on every one before the next port comes. Pairs
 * that were taken when the table was made are skipped, and those that connections to other targets
 * share come last; that others may take some later shows as EADDRINUSE, and the caller moves on to
 * the next.
 *
 * A table costs nothing per pair, but 8 bytes for each that is released.
 */
export class SourcePorts {
  /** The pair that `next` moved on to. */
  address = "";
  port = 0;

  readonly #addresses: readonly string[];
  readonly #canonical: readonly string[];
  readonly #firstPort: number;
  readonly #exceptions: ReadonlySet<number>;
  readonly #used: UsedPorts;
  readonly #share: Share;
  readonly #size: number;
  readonly #startAt: number;
  /** How many pairs of the table were looked at in this round. */
  #looked = 0;
  /** Pairs with this use are handed out in this round. */
  #round: PortUse = portUse.free;
  /** Pairs that were released, the oldest at `#oldest`. */
  #released: number[] = [];
  #oldest = 0;
  #free: number;

  /** @throws {UsageError} no address, one that is none, or a range that is none. */
  constructor(settings: SourcePortSettings) {
    const { addresses, firstPort, lastPort, startAt = 0 } = settings;
    if (addresses.length === 0) {
      throw new UsageError("there is no source address; give at least one");
    }
    this.#canonical = addresses.map((address) => {
      const known = canonicalAddress(address);
      if (known !== undefined) return known;
      throw new UsageError(`source address "${address}" is no IP address; write it as 127.0.0.1`);
    });
    if (!(isPort(firstPort) && isPort(lastPort) && firstPort <= lastPort)) {
      throw new UsageError(
        `source ports ${firstPort}-${lastPort} are no range; write first-last, from 1 to 65535`,
      );
    }
    this.#addresses = [...addresses];
    this.#firstPort = firstPort;
    this.#exceptions = portsOf(settings.exceptPorts ?? [], firstPort, lastPort);
    this.#used = settings.used ?? readUsedPorts(settings.protocol ?? "tcp");
    this.#share = settings.share ?? { index: 0, count: 1 };
    const { index, count } = this.#share;
    const pairs = addresses.length * (lastPort - firstPort + 1);
    this.#size = Math.max(0, Math.ceil((pairs - index) / count));
    this.#startAt = this.#size === 0
      ? 0
      : (Math.trunc(startAt) % this.#size + this.#size) % this.#size;
    this.#free = this.#size - this.#countTaken(lastPort);
  }

  /** Pairs of this share that cannot be handed out from the beginning. */
  #countTaken(lastPort: number): number {
    let taken = 0;
    for (const [at, address] of this.#canonical.entries()) {
      const isOwn = (port: number) =>
        ((port - this.#firstPort) * this.#addresses.length + at) % this.#share.count ===
          this.#share.index;
      const inUse = this.#used.takenPorts(address, this.#firstPort, lastPort)
        .filter((port) => !this.#exceptions.has(port));
      for (const port of inUse) if (isOwn(port)) taken++;
      for (const port of this.#exceptions) if (isOwn(port)) taken++;
    }
    return taken;
  }

  /** How many pairs can still be handed out. */
  get free(): number {
    return this.#free;
  }

  /**
   * Moves on to the next pair that is not handed out.
   *
   * @returns its number, by which it is released; -1, and no move, when none is left.
   */
  next(): number {
    const pair = this.#nextUnused();
    if (pair >= 0) return this.#moveTo(pair);
    if (this.#oldest === this.#released.length) return -1;
    const released = this.#released[this.#oldest++]!;
    if (this.#oldest > 1024 && this.#oldest * 2 > this.#released.length) {
      this.#released = this.#released.slice(this.#oldest);
      this.#oldest = 0;
    }
    return this.#moveTo(released);
  }

  #moveTo(pair: number): number {
    this.#free--;
    this.address = this.#addresses[pair % this.#addresses.length]!;
    this.port = this.#portOf(pair);
    return pair;
  }

  #nextUnused(): number {
    while (this.#round !== portUse.taken) {
      while (this.#looked < this.#size) {
        const own = (this.#startAt + this.#looked++) % this.#size;
        const pair = own * this.#share.count + this.#share.index;
        const port = this.#portOf(pair);
        if (this.#exceptions.has(port)) continue;
        const address = this.#canonical[pair % this.#canonical.length]!;
        if (this.#used.useOf(address, port) === this.#round) return pair;
      }
      if (this.#round === portUse.free && this.#used.hasShared) {
        this.#round = portUse.shared;
        this.#looked = 0;
      } else {
        this.#round = portUse.taken;
      }
    }
    return -1;
  }

  #portOf(pair: number): number {
    return this.#firstPort + Math.floor(pair / this.#addresses.length);
  }

  /**
   * A pair that `next` gave is free again; its turn comes when all others had theirs.
   *
   * @param pair its number, once for each time that it was handed out.
   */
  release(pair: number): void {
    this.#released.push(pair);
    this.#free++;
  }
}

function portsOf(ranges: readonly Ports[], first: number, last: number): Set<number> {
  const ports = new Set<number>();
  for (const range of ranges) {
    for (let port = Math.max(range.first, first); port <= Math.min(range.last, last); port++) {
      ports.add(port);
    }
  }
  return ports;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}
