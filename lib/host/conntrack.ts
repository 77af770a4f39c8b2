import { sysctlNumber } from "./kernel_file.ts";

/** The connection tracking of the firewall (netfilter). */
export interface ConntrackReadings {
  /** Entries now, in this network namespace. */
  readonly count: number;
  /** Entries that each namespace may have; beyond them the packets of new connections are dropped. */
  readonly max: number;
  /** Whether connections from here are tracked at all; undefined: not known. */
  readonly isTracking: boolean | undefined;
}

const names = {
  count: "net.netfilter.nf_conntrack_count",
  max: "net.netfilter.nf_conntrack_max",
} as const;

/** Undefined where the kernel has none, or is no Linux. */
export async function readConntrack(isIPv6 = false): Promise<ConntrackReadings | undefined> {
  const max = sysctlNumber(names.max);
  const before = sysctlNumber(names.count);
  if (max === undefined || before === undefined) return undefined;
  const isTracking = before + probes > max ? true : await seesDatagrams(isIPv6);
  return { count: sysctlNumber(names.count) ?? before, max, isTracking };
}

/** Datagrams to send, each of which is an entry for half a minute. */
const probes = 2;

/**
 * Whether a datagram over loopback, from this process to itself, makes an entry. Many hosts have the
 * module loaded, or built in, and do not use it: only a rule that needs the state of connections
 * makes the kernel track, in that network namespace, and nothing in `/proc` tells. A rule may leave
 * out loopback alone, which this cannot see.
 */
async function seesDatagrams(isIPv6: boolean): Promise<boolean | undefined> {
  // A change that others caused says the same.
  const first = await growthByProbes(isIPv6 ? "::1" : "127.0.0.1");
  if (first !== 0) return first === undefined ? undefined : true;
  return await growthByProbes(isIPv6 ? "::1" : "127.0.0.1") !== 0;
}

async function growthByProbes(address: string): Promise<number | undefined> {
  const sockets: Bun.udp.Socket<"uint8array">[] = [];
  try {
    for (let i = 0; i <= probes; i++) {
      sockets.push(
        await Bun.udpSocket<"uint8array">({
          hostname: address,
          port: 0,
          binaryType: "uint8array",
          socket: { data() {}, error() {} },
        }),
      );
    }
    const [receiver, ...senders] = sockets;
    const before = sysctlNumber(names.count);
    for (const sender of senders) sender.send(new Uint8Array(1), receiver!.port, address);
    const after = sysctlNumber(names.count);
    return before === undefined || after === undefined ? undefined : after - before;
  } catch {
    return undefined; // no loopback, or no descriptor
  } finally {
    for (const socket of sockets) socket.close();
  }
}
