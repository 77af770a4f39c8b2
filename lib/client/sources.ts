import { HostLimitError, UsageError } from "../errors.ts";
import { addressesOfBlock, sizeOfBlock } from "../host/address_block.ts";
import { type EphemeralPorts, ephemeralPorts, reservedPorts } from "../host/limits.ts";
import { interfaceAddresses, isLocalAddress } from "../host/local_addresses.ts";
import { SourceTable, type SourceTableSettings } from "../host/source_table.ts";
import { canonicalAddress, isLoopbackAddress, mostUsedPorts } from "../host/used_ports.ts";
import { addressList, type AddressRange } from "../options/address.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { resolveHost, resolveTarget } from "../transport/resolve.ts";
import type { ClientSettings } from "./options.ts";

/** What the connections of a run start from. */
export interface SourcePlan {
  readonly table: SourceTableSettings;
  /** Says what the user did not ask for. */
  readonly note?: string;
}

/** Dynamic ports where no kernel says which (RFC 6335, section 6). */
const dynamicPorts: EphemeralPorts = { first: 49_152, last: 65_535 };
/** As many addresses as one run can use: a table has no more pairs than can be numbered. */
const mostAddresses = 65_536;
/** Pairs beyond those that are needed: others may take some before their turn comes. */
const spareShare = 1 / 64;

/**
 * Where the connections of a run start: the addresses of `--source` and the ports of
 * `--source-ports`, or what the kernel chooses. Where the kernel has fewer ports than are needed
 * towards a loopback target, they start from several addresses of 127.0.0.0/8.
 *
 * Reads the socket tables of the host, 1 to 2 µs for each of its sockets, where sources are asked for
 * or the sockets are too many to be sure of enough ports.
 *
 * @param connections over all workers.
 * @param mayRunOut too few ports are no error: a ramp finds out how many there are.
 * @returns undefined where the kernel chooses.
 * @throws {HostLimitError} the host has too few ports, or does not have an address.
 * @throws {UsageError} the addresses do not lead to the target.
 * @throws {TargetUnreachableError} the host does not resolve.
 */
export async function planSources(
  endpoint: Endpoint,
  settings: ClientSettings,
  connections: number = settings.connections,
  mayRunOut = false,
): Promise<SourcePlan | undefined> {
  const sockets = endpoint.scheme === "quic"
    ? Math.ceil(connections / settings.connectionsPerSocket)
    : connections;
  const least = mayRunOut ? 1 : sockets;
  if (settings.sources.length > 0) return await fromAddresses(endpoint, settings, sockets, least);
  const targets = await resolveHost(endpoint.host);
  if (settings.sourcePorts !== undefined) return fromPorts(endpoint, settings, targets, least);
  return kernelsChoice(endpoint, targets, sockets, mayRunOut);
}

/** `--source-ports` alone: on whatever address the route to the target has. */
function fromPorts(
  endpoint: Endpoint,
  settings: ClientSettings,
  targets: readonly string[],
  sockets: number,
): SourcePlan {
  const ports = settings.sourcePorts!;
  const planned = tableOf(endpoint, targets, ["0.0.0.0", "::"], ports);
  const { table, free } = withFree(planned, targets[0]!);
  if (free >= sockets) return { table };
  throw new HostLimitError(
    `${needed(sockets, endpoint)}, and ${free} of --source-ports ${ports.first}-${ports.last} ` +
      `are free now; give a wider range of --source-ports or further addresses with --source, or ask ` +
      `for at most ${free} connections`,
  );
}

/** `--source`, with the ports of `--source-ports` or those that the kernel would choose from. */
async function fromAddresses(
  endpoint: Endpoint,
  settings: ClientSettings,
  sockets: number,
  least: number,
): Promise<SourcePlan> {
  const addresses = listAddresses(settings.sources.flat(), Math.max(1, sockets));
  const hasFamily = (isIPv6: boolean) =>
    addresses.some((address) => address.includes(":") === isIPv6);
  const targets = await resolveTarget(endpoint.host, { hasFamily });
  for (const address of addresses) requireUsable(address, targets);
  const own = settings.sourcePorts;
  const planned = own === undefined
    ? kernelsTable(endpoint, targets, addresses)
    : tableOf(endpoint, targets, addresses, own);
  const { table, free } = withFree(planned, targets[0]!);
  if (free >= least) return { table };
  const more = own === undefined
    ? "give further addresses with --source, or more ports of each with --source-ports 1024-65535"
    : "give further addresses with --source, or a wider range of --source-ports";
  throw new HostLimitError(
    `${needed(sockets, endpoint)}, and ports ${table.firstPort}-${table.lastPort} on ` +
      `${count(addresses.length, "source address", "source addresses")} come to ${free} that ` +
      `are free now; ${more}, or ask for at most ${free} connections`,
  );
}

/**
 * The addresses that `--source` names, each once, in the order in which they take turns.
 *
 * @param most no connection is there for more of them.
 */
function listAddresses(blocks: readonly AddressRange[], most: number): string[] {
  const addresses = new Set<string>();
  for (const block of blocks) {
    if (sizeOfBlock(block) > mostAddresses) {
      throw new UsageError(
        `--source ${addressList.format([block])} ` +
          `has ${sizeOfBlock(block)} addresses, and at most ${mostAddresses} can be used; give a ` +
          `longer prefix`,
      );
    }
    for (const address of addressesOfBlock(block, most)) {
      addresses.add(canonicalAddress(address) ?? address);
    }
  }
  // Each family needs its own when the target has both.
  const taken = { true: 0, false: 0 };
  return [...addresses].filter((address) => taken[`${address.includes(":")}`]++ < most)
    .slice(0, 2 * mostAddresses);
}

/** @throws {HostLimitError | UsageError} nothing can be sent from there to any of the targets. */
function requireUsable(address: string, targets: readonly string[]): void {
  const isIPv6 = address.includes(":");
  if (!isLocalAddress(address)) {
    const known = interfaceAddresses(isIPv6);
    const some = known.length === 0
      ? `it has no IPv${isIPv6 ? 6 : 4} address`
      : `it has ${known.slice(0, 4).join(", ")}${known.length > 4 ? " and others" : ""}`;
    throw new HostLimitError(
      `--source ${address} is no address of this host: ${some}; add it with ` +
        `"ip address add ${address}/${isIPv6 ? 128 : 32} dev <interface>", or leave it out`,
    );
  }
  const reachable = targets.filter((target) => target.includes(":") === isIPv6);
  const isOutside = (target: string) => !isLoopbackAddress(target) && !isLocalAddress(target);
  if (isLoopbackAddress(address) && reachable.length > 0 && reachable.every(isOutside)) {
    throw new UsageError(
      `--source ${address} is a loopback address, from which ${reachable[0]} cannot be reached; ` +
        `give an address of the interface that leads there`,
    );
  }
}

/**
 * Nothing was asked for: the kernel chooses, as long as it has enough ports. Its range holds for one
 * source address towards one target.
 */
function kernelsChoice(
  endpoint: Endpoint,
  targets: readonly string[],
  sockets: number,
  mayRunOut: boolean,
): SourcePlan | undefined {
  const range = ephemeralPorts();
  if (range === undefined) return undefined;
  const [first = ""] = targets;
  const isIPv6 = first.includes(":");
  const { protocol } = tableOf(endpoint, targets, [], range);
  const reserved = reservedPorts().reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const least = range.last - range.first + 1 - reserved - mostUsedPorts(protocol);
  if (least >= sockets) return undefined;
  const wildcard = isIPv6 ? "::" : "0.0.0.0";
  const { free } = withFree(kernelsTable(endpoint, targets, [wildcard]), first);
  if (free >= sockets) return undefined;
  const isLoopback = isLoopbackAddress(first);
  const spread = isLoopback ? overLoopback(endpoint, targets, sockets) : undefined;
  if (spread !== undefined) return spread;
  if (mayRunOut) return undefined;
  const more = isLoopback
    ? "name the target as 127.0.0.1, which has all of 127.0.0.0/8 to start from (::1 is a single " +
      "address)"
    : "give several addresses of this host with --source";
  throw new HostLimitError(
    `${needed(sockets, endpoint)}, and ${free} of the kernel's (net.ipv4.ip_local_port_range ` +
      `${range.first}-${range.last}) are free now towards ${first}; ${more}, widen the range (as root: ` +
      `sysctl net.ipv4.ip_local_port_range="1024 65535"), or ask for at most ${free} connections`,
  );
}

/** As many addresses of 127.0.0.0/8 as it takes; undefined where the target is not among them. */
function overLoopback(
  endpoint: Endpoint,
  targets: readonly string[],
  sockets: number,
): SourcePlan | undefined {
  const target = targets.find((address) => address.startsWith("127."));
  if (target === undefined) return undefined;
  const { first, last } = ephemeralPorts() ?? dynamicPorts;
  // An address more: everything else on this host takes its ports from 127.0.0.1.
  const wanted = sockets + Math.max(Math.ceil(sockets * spareShare), last - first + 1);
  const fewest = Math.ceil(wanted / (last - first + 1));
  for (let count = fewest; count <= mostAddresses; count = Math.ceil(count * 1.01)) {
    const addresses = addressesOfBlock({ address: "127.0.0.1", prefixLength: 8 }, count);
    const { table, free } = withFree(kernelsTable(endpoint, [target], addresses), target);
    if (free < wanted) continue;
    const lastAddress = addresses.at(-1)!;
    if (!isLocalAddress(lastAddress)) return undefined; // not Linux
    return {
      table,
      note: `${sockets} connections are more than one source address has ports for ` +
        `(${first}-${last}): they go to ${target} from ` +
        `${addresses[0]}${count === 1 ? "" : ` to ${lastAddress}`}`,
    };
  }
  return undefined;
}

/** The ports that the kernel would choose from, from anywhere in their range. */
function kernelsTable(
  endpoint: Endpoint,
  targets: readonly string[],
  addresses: readonly string[],
): SourceTableSettings {
  const table = tableOf(endpoint, targets, addresses, ephemeralPorts() ?? dynamicPorts);
  const ports = table.lastPort - table.firstPort + 1;
  // Ports of the last run may still be known to routers, firewalls and servers on the way.
  const startAt = Math.floor(Math.random() * ports) * addresses.length;
  return { ...table, exceptPorts: reservedPorts(), startAt };
}

function tableOf(
  endpoint: Endpoint,
  targets: readonly string[],
  addresses: readonly string[],
  { first, last }: EphemeralPorts,
): SourceTableSettings {
  return {
    addresses,
    firstPort: first,
    lastPort: last,
    protocol: endpoint.scheme === "udp" || endpoint.scheme === "quic" ? "udp" : "tcp",
    target: { addresses: targets, port: endpoint.port },
  };
}

/** A table, and how many connections to this target it has pairs for now. */
function withFree(
  planned: SourceTableSettings,
  target: string,
): { readonly table: SourceTableSettings; readonly free: number } {
  const sources = new SourceTable(planned);
  const table = sources.isUnused ? { ...planned, isUnused: true } : planned;
  return { table, free: sources.free(target.includes(":")) };
}

function needed(sockets: number, { scheme }: Endpoint): string {
  return scheme === "quic"
    ? `the connections take ${count(sockets, "UDP socket", "UDP sockets")} with a source port each`
    : `${count(sockets, "connection takes a source port", "connections take a source port each")}`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
