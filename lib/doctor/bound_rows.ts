import {
  type Bound,
  type BoundName,
  bytesPerConnection,
  connectionsPerProcess,
  perDescriptor,
} from "../host/capacity.ts";
import { laterThreads, processBytes, serverFds } from "../host/connection_costs.ts";
import { reservedFds } from "../host/limits.ts";
import { mostWorkers } from "../options/workers.ts";
import { formatBytes, formatCount } from "../stats/figures.ts";
import { type Findings, type LimitRow, verdictOn } from "./limit_row.ts";
import type { Remedy } from "./remedy.ts";

/** The rows of the limits that say how many connections there can be. */
export function boundRow(name: BoundName, findings: Findings): LimitRow {
  const bound = findings.capacity.bounds.find((bound) => bound.name === name)!;
  const { label, value, note, remedies } = descriptions[name](findings, bound);
  const { verdict, needsMore } = verdictOn(bound, findings);
  return {
    name: label,
    value: value ?? "not known here",
    connections: value === undefined || bound.connections === Infinity
      ? undefined
      : bound.connections,
    note,
    verdict: value === undefined ? "unknown" : verdict,
    remedies: needsMore ? remedies() : [],
  };
}

/** How the first line calls a limit. */
export function labelOf(name: BoundName, findings: Findings): string {
  return boundRow(name, findings).name;
}

interface Description {
  readonly label: string;
  /** Undefined: not known. */
  readonly value: string | undefined;
  readonly note: string;
  remedies(): readonly Remedy[];
}

const mostPorts = { first: 1024, last: 65535 };

const descriptions: Readonly<
  Record<BoundName, (findings: Findings, bound: Bound) => Description>
> = {
  nofile({ readings, question, wanted }) {
    const { soft, hard, reachable, nrOpen } = readings.descriptors;
    const each = connectionsPerProcess(readings, question);
    const share = Math.ceil(wanted / question.workers);
    const fds = Math.ceil(share / perDescriptor(question)) + reservedFds +
      (question.role === "server" ? serverFds : 0);
    const raise = reachable > hard ? `, raised to ${figure(reachable)} where needed` : "";
    return {
      label: "nofile",
      value: soft === Infinity && nrOpen === undefined
        ? undefined
        : `${figure(soft)} soft, ${figure(hard)} hard`,
      note: each === Infinity
        ? "a server needs no descriptor for such a connection"
        : `${formatCount(each)} in each process${raise}; ` +
          `${counted(question.workers, "worker")} in all`,
      remedies() {
        const ceiling = nrOpen !== undefined && fds > nrOpen ? [sysctl("fs.nr_open", fds)] : [];
        const workers = each > 0 ? Math.ceil(wanted / each) : 0;
        return [
          ...ceiling,
          { kind: "ulimit", flag: "n", value: fds },
          ...(workers > 0 && workers <= mostWorkers
            ? [advice(`or share them: --workers ${workers}`)]
            : []),
        ];
      },
    };
  },

  "file-max"({ readings: { descriptors }, wanted, question }) {
    const { fileMax, filesOpen, isExemptFromFileMax } = descriptors;
    return {
      label: "fs.file-max",
      value: fileMax === undefined ? undefined : `${figure(fileMax)}, ${figure(filesOpen)} open`,
      note: isExemptFromFileMax ? "of all processes; does not hold for root" : "of all processes",
      remedies: () => [
        sysctl(
          "fs.file-max",
          (filesOpen ?? 0) + 2 * wanted + reservedFds * (question.workers + 1),
        ),
      ],
    };
  },

  "epoll watches"({ readings: { descriptors }, wanted }) {
    const { maxUserWatches } = descriptors;
    return {
      label: "max_user_watches",
      value: maxUserWatches === undefined ? undefined : figure(maxUserWatches),
      note: "descriptors that the event loops of a user can watch (fs.epoll)",
      remedies: () => [sysctl("fs.epoll.max_user_watches", 2 * wanted + reservedFds)],
    };
  },

  "source ports"({ readings: { sources, queues }, question, wanted }) {
    const text = sources === undefined
      ? undefined
      : `${sources.range.first}-${sources.range.last}, ${figure(sources.inUse)} in use` +
        (sources.reservedPorts > 0 ? `, ${figure(sources.reservedPorts)} reserved` : "");
    const addresses = sources?.addresses ?? 1;
    const isKernels = sources?.isKernelsRange ?? true;
    return {
      label: isKernels ? "ip_local_port_range" : "source ports",
      value: text,
      note: question.role === "server"
        ? "source ports of outgoing connections only"
        : sources?.isSpread === true
        ? "source ports towards the target, on each address of 127.0.0.0/8 (65,536 at most)"
        : `source ports towards the target, on ${
          counted(addresses, "source address", "source addresses")
        }` + (sources !== undefined && sources.timeWait > 0
          ? `; ${figure(sources.timeWait)} sockets are in TIME_WAIT`
          : ""),
      remedies() {
        const sockets = Math.ceil(wanted / perDescriptor(question));
        const reserved = sources?.reservedPorts ?? 0;
        const most = mostPorts.last - mostPorts.first + 1 - reserved;
        const needed = Math.ceil((sockets + (sources?.inUse ?? 0)) / most);
        const { first, last } = sources?.range ?? mostPorts;
        const isWide = first <= mostPorts.first && last >= mostPorts.last;
        return [
          ...(isWide
            ? []
            : isKernels
            ? [sysctl("net.ipv4.ip_local_port_range", `${mostPorts.first} ${mostPorts.last}`)]
            : [advice(`give the client a wider --source-ports, such as 1024-65535`)]),
          ...(sources !== undefined && Math.min(sources.timeWait, sources.inUse) > 0 &&
              queues.timeWaitReuse !== 1 &&
              question.kind !== "udp" && question.kind !== "quic"
            ? [sysctl("net.ipv4.tcp_tw_reuse", 1)]
            : []),
          ...(needed > addresses
            ? [advice(`give the client ${needed} addresses of this host: --source`)]
            : []),
        ];
      },
    };
  },

  conntrack({ readings: { conntrack, queues }, question, wanted }) {
    const tracking = conntrack?.isTracking === false
      ? "does not track here: no rule asks for it"
      : conntrack?.isTracking === true
      ? "tracks here: an entry for each connection, beyond which new ones are dropped"
      : "may track here: an entry for each connection, beyond which new ones are dropped";
    const entries = question.role === "client" ? wanted / perDescriptor(question) : wanted;
    return {
      label: "nf_conntrack_max",
      value: conntrack !== undefined
        ? `${figure(conntrack.max)}, ${figure(conntrack.count)} used`
        : queues.somaxconn !== undefined
        ? "none" // other settings can be read
        : undefined,
      note: conntrack === undefined ? "no connection tracking is loaded" : tracking,
      remedies: () => [
        sysctl(
          "net.netfilter.nf_conntrack_max",
          (conntrack?.count ?? 0) + Math.ceil(entries * spare),
        ),
      ],
    };
  },

  memory({ readings, question }) {
    const each = bytesPerConnection(question);
    return {
      label: "free memory",
      value: readings.platform === "linux" ? formatBytes(readings.hostMemoryBytes) : undefined,
      note: `${formatBytes(each)} for each connection, measured` +
        (question.role === "client" && question.isTargetLocal ? " (both ends are here)" : "") +
        `, and ${formatBytes(processBytes)} for each process`,
      remedies: () => [advice("add memory, or end what uses it")],
    };
  },

  "cgroup memory"({ readings: { platform, controlGroup: { memory } }, question, wanted }) {
    return {
      label: "cgroup memory",
      value: platform !== "linux"
        ? undefined
        : memory === undefined
        ? "no limit"
        : `${formatBytes(memory.limit)}, ${formatBytes(memory.used)} used`,
      note: "of this container or service",
      remedies: () =>
        memory === undefined ? [] : [{
          kind: "file",
          path: memory.path,
          value: String(Math.ceil(
            memory.used + 2 * processBytes * question.workers +
              wanted * bytesPerConnection(question) * spare,
          )),
        }],
    };
  },

  processes({ readings: { processes, platform }, question }) {
    const { userLimit, isExempt, threads, threadsMax, ownThreads } = processes;
    return {
      label: "max user processes",
      value: platform !== "linux" || userLimit === undefined
        ? undefined
        : `${figure(userLimit)}, ${figure(threads)} threads on the host`,
      note: `each worker is a process of ${figure((ownThreads ?? 0) + laterThreads)} threads` +
        (isExempt ? "; does not hold for root" : ""),
      remedies() {
        const needed = (threads ?? 0) + threadsOf(question.workers, ownThreads);
        return threadsMax !== undefined && threadsMax < needed
          ? [sysctl("kernel.threads-max", needed * 2)]
          : [{ kind: "ulimit", flag: "u", value: needed }];
      },
    };
  },

  "cgroup pids"({ readings: { platform, controlGroup: { pids }, processes }, question }) {
    return {
      label: "cgroup pids",
      value: platform !== "linux"
        ? undefined
        : pids === undefined
        ? "no limit"
        : `${figure(pids.limit)}, ${figure(pids.used)} used`,
      note: "processes and threads of this container or service",
      remedies: () =>
        pids === undefined ? [] : [{
          kind: "file",
          path: pids.path,
          value: String(pids.used + threadsOf(question.workers, processes.ownThreads)),
        }],
    };
  },
};

/** With one process more, which starts the others. */
function threadsOf(workers: number, ownThreads: number | undefined): number {
  return (workers + 1) * ((ownThreads ?? 0) + laterThreads);
}

/** Remedies leave room: what is left over when a connection ends stays for a while. */
const spare = 1.25;

function sysctl(name: string, value: number | string): Remedy {
  return { kind: "sysctl", name, value: String(value) };
}

function advice(text: string): Remedy {
  return { kind: "advice", text };
}

function figure(number: number | undefined): string {
  if (number === undefined || number < 0) return "–";
  return number === Infinity ? "unlimited" : formatCount(number);
}

function counted(number: number, one: string, many = `${one}s`): string {
  return `${formatCount(number)} ${number === 1 ? one : many}`;
}
