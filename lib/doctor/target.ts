import { isIPv6 } from "node:net";
import { UsageError } from "../errors.ts";
import { addressesOfBlock, sizeOfBlock } from "../host/address_block.ts";
import type { CapacityQuestion } from "../host/capacity.ts";
import { isLocalAddress } from "../host/local_addresses.ts";
import type { SourceQuestion } from "../host/source_pairs.ts";
import { addressList } from "../options/address.ts";
import { quote } from "../options/kind.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../transport/endpoint.ts";
import { resolveHost } from "../transport/resolve.ts";
import type { DoctorSettings } from "./options.ts";

/** What the command line asks about. */
export interface Question {
  /** Undefined: no particular one. */
  readonly endpoint: Endpoint | undefined;
  /** How the first line calls it; "" where there is none. */
  readonly targetName: string;
  readonly capacity: CapacityQuestion;
  /** The number of workers in it stands for as many as it takes. */
  readonly isAutomatic: boolean;
  readonly sources: SourceQuestion;
}

/** A table of sources has no more addresses. */
const mostAddresses = 65_536;

/** An endpoint, or a host with or without a port, which is one of TCP then. */
export function parseTarget(text: string): Endpoint {
  if (text.includes("://")) return parseEndpoint(text);
  if (/[\s/?#]/.test(text)) {
    throw new UsageError(
      `--target ${quote(text)} is neither a host, host:port nor an endpoint such as ` +
        `ws://host:8080`,
    );
  }
  return parseEndpoint(`tcp://${isIPv6(text) ? `[${text}]` : text}`);
}

/**
 * Finds out what has to be known of the target: its addresses, and from which one of this host the
 * route leads there. Sends nothing to it.
 *
 * @throws {UsageError} the target or the sources make no sense.
 * @throws {TargetUnreachableError} the host does not resolve.
 */
export async function askAbout(settings: DoctorSettings): Promise<Question> {
  const endpoint = settings.target === undefined ? undefined : parseTarget(settings.target);
  const kind = endpoint?.scheme ?? "tcp";
  const isClient = settings.role === "client";
  const addresses = isClient && endpoint !== undefined ? await resolveHost(endpoint.host) : [];
  const [address] = addresses;
  const blocks = settings.sources.flat();
  const size = blocks.reduce((sum, block) => sum + sizeOfBlock(block), 0);
  if (size > mostAddresses) {
    throw new UsageError(
      `--source ${addressList.format(blocks)} has ${size} addresses, and at most ` +
        `${mostAddresses} can be used; give a longer prefix`,
    );
  }
  const own = blocks.flatMap((block) => addressesOfBlock(block, mostAddresses));
  return {
    endpoint,
    targetName: endpoint === undefined ? "" : formatEndpoint(endpoint),
    capacity: {
      role: settings.role,
      kind,
      workers: settings.workers === "auto" ? 1 : settings.workers,
      connectionsPerSocket: settings.connectionsPerSocket,
      isTargetLocal: address !== undefined && isLocalAddress(address),
    },
    isAutomatic: settings.workers === "auto",
    sources: {
      protocol: kind === "udp" || kind === "quic" ? "udp" : "tcp",
      target: endpoint === undefined || !isClient ? undefined : { addresses, port: endpoint.port },
      routeAddress: address === undefined ? undefined : await routeAddress(address),
      ...(own.length === 0 ? {} : { addresses: own }),
      ...(settings.sourcePorts === undefined ? {} : { ports: settings.sourcePorts }),
    },
  };
}

/** Any port: connecting a UDP socket asks the routing table, and sends nothing. */
const discardPort = 9;

/** The address of this host that the route to `target` starts from; undefined: there is none. */
async function routeAddress(target: string): Promise<string | undefined> {
  try {
    const socket = await Bun.udpSocket({
      hostname: target.includes(":") ? "::" : "0.0.0.0",
      port: 0,
      connect: { hostname: target, port: discardPort },
      socket: {},
    });
    const { address } = socket.address;
    socket.close();
    return address;
  } catch {
    return undefined;
  }
}
