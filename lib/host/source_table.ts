import { type Share, SourcePorts, type SourcePortSettings } from "./source_ports.ts";
import {
  canonicalAddress,
  type ConnectionTarget,
  isWildcard,
  type LocalEnds,
  readUsedPorts,
  UsedPorts,
} from "./used_ports.ts";

/** What a table of sources is made from: plain data, which a worker process can be sent. */
export interface SourceTableSettings extends Omit<SourcePortSettings, "used" | "protocol"> {
  readonly protocol: "tcp" | "udp";
  /** Where the connections will lead. */
  readonly target: ConnectionTarget;
  /**
   * No socket had any of the pairs when the table was planned: the sockets of the host, of which
   * there may be millions, need not be read again.
   */
  readonly isUnused?: boolean;
}

/**
 * The part of a table that one of several processes hands out: every `count`th pair, so that the
 * parts differ in size by one pair at most, have none in common and are the whole together.
 *
 * @param index from 0 to `count - 1`.
 */
export function shareOfSources(
  settings: SourceTableSettings,
  index: number,
  count: number,
): SourceTableSettings {
  const own: Share = settings.share ?? { index: 0, count: 1 };
  return { ...settings, share: { index: own.index + own.count * index, count: own.count * count } };
}

/** What of the host's sockets concerns a table. */
function endsOf({ addresses, firstPort, lastPort }: SourceTableSettings): LocalEnds {
  const canonical = addresses.map((address) => canonicalAddress(address) ?? address);
  if (canonical.some(isWildcard)) return { firstPort, lastPort };
  return { firstPort, lastPort, addresses: new Set(canonical) };
}

/**
 * The addresses and ports that connections start from: a {@link SourcePorts} for each family, since
 * a connection has both ends in one.
 */
export class SourceTable {
  address = "";
  port = 0;
  /** No socket had any of the pairs when the table was made. */
  readonly isUnused: boolean;
  readonly #families: readonly (SourcePorts | undefined)[];

  /** @throws {UsageError} as `SourcePorts`. */
  constructor(settings: SourceTableSettings) {
    const used = settings.isUnused === true
      ? new UsedPorts()
      : readUsedPorts(settings.protocol, settings.target, endsOf(settings));
    this.isUnused = used.isEmpty;
    this.#families = [false, true].map((isIPv6) => {
      const addresses = settings.addresses.filter((address) => address.includes(":") === isIPv6);
      return addresses.length === 0 ? undefined : new SourcePorts({ ...settings, addresses, used });
    });
  }

  /** Whether there is an address for targets of this family. */
  hasFamily(isIPv6: boolean): boolean {
    return this.#families[isIPv6 ? 1 : 0] !== undefined;
  }

  /** How many pairs can still be handed out to targets of this family. */
  free(isIPv6: boolean): number {
    return this.#families[isIPv6 ? 1 : 0]?.free ?? 0;
  }

  /**
   * Moves on to the next pair for a target of this family, which `address` and `port` then hold.
   *
   * @returns its number, by which it is released; -1 when none is left.
   */
  next(isIPv6: boolean): number {
    const family = this.#families[isIPv6 ? 1 : 0];
    const pair = family?.next() ?? -1;
    if (family === undefined || pair < 0) return -1;
    this.address = family.address;
    this.port = family.port;
    return 2 * pair + (isIPv6 ? 1 : 0);
  }

  /** A pair can be handed out again; once for each time that it was. */
  release(pair: number): void {
    this.#families[pair % 2]?.release(Math.floor(pair / 2));
  }
}
