import { reservedFds } from "../host/limits.ts";
import { perDescriptor } from "../host/capacity.ts";
import type { SocketPages } from "../host/socket_memory.ts";
import { formatBytes, formatCount } from "../stats/figures.ts";
import type { Findings, LimitRow } from "./limit_row.ts";
import type { Remedy } from "./remedy.ts";

/**
 * The rows of the settings that do not say how many connections there can be, but how fast they
 * come, or how much may wait in them.
 */
export type RateRowName =
  | "fs.nr_open"
  | "tcp_mem"
  | "udp_mem"
  | "somaxconn"
  | "tcp_max_syn_backlog"
  | "tcp_syncookies"
  | "tcp_tw_reuse"
  | "rmem"
  | "wmem"
  | "netdev_max_backlog";

export function rateRow(name: RateRowName, findings: Findings): LimitRow {
  return makers[name](findings);
}

/**
 * Connects that have to be able to wait: those of a second in which a server does nothing, at the
 * client's usual 1,000 a second.
 */
const burst = 1000;
/** What the kernel has had since Linux 5.4. */
const usualQueue = 4096;
/** What the UDP and QUIC sockets of both sides ask for. */
const bufferBytes = 2 ** 20;

const makers: Readonly<Record<RateRowName, (findings: Findings) => LimitRow>> = {
  "fs.nr_open"({ readings: { descriptors }, question, asked, wanted }) {
    const { nrOpen } = descriptors;
    const each = nrOpen === undefined ? 0 : (nrOpen - reservedFds) * perDescriptor(question);
    const most = each * question.workers;
    const share = Math.ceil(wanted / question.workers / perDescriptor(question));
    return made(
      "fs.nr_open",
      nrOpen,
      asked === undefined || asked <= most,
      "nofile can be raised so far",
      [sysctl("fs.nr_open", share + 2 * reservedFds)],
      Number.isFinite(most) ? most : undefined,
    );
  },

  tcp_mem: (findings) => pagesRow("tcp", findings),
  udp_mem: (findings) => pagesRow("udp", findings),

  somaxconn({ readings: { queues }, question, wanted }) {
    const isEnough = !isServed(question) || (queues.somaxconn ?? 0) >= Math.min(burst, wanted);
    return made(
      "somaxconn",
      queues.somaxconn,
      isEnough,
      "connects that may wait until a server here accepts them",
      [sysctl("net.core.somaxconn", usualQueue)],
    );
  },

  tcp_max_syn_backlog({ readings: { queues }, question, wanted }) {
    const isEnough = !isServed(question) || queues.synCookies !== 0 ||
      (queues.synBacklog ?? 0) >= Math.min(burst, wanted);
    return made(
      "tcp_max_syn_backlog",
      queues.synBacklog,
      isEnough,
      "handshakes under way at a server here; " +
        (queues.synCookies === 0 ? "more are dropped" : "more are answered by SYN cookies"),
      [sysctl("net.ipv4.tcp_max_syn_backlog", usualQueue)],
    );
  },

  tcp_syncookies({ readings: { queues }, question }) {
    return made(
      "tcp_syncookies",
      queues.synCookies,
      !isServed(question) || queues.synCookies !== 0,
      "1: a server here answers connects although its queue is full",
      [sysctl("net.ipv4.tcp_syncookies", 1)],
    );
  },

  tcp_tw_reuse({ readings: { queues }, question }) {
    const isOfTcp = question.role === "client" && !isUdp(question.kind);
    return made(
      "tcp_tw_reuse",
      queues.timeWaitReuse,
      !isOfTcp || queues.timeWaitReuse !== 0,
      "ports in TIME_WAIT can be used again after a second: 1 yes, 2 on loopback, 0 no",
      [sysctl("net.ipv4.tcp_tw_reuse", 1)],
    );
  },

  rmem: (findings) => buffersRow("rmem", findings),
  wmem: (findings) => buffersRow("wmem", findings),

  netdev_max_backlog({ readings: { queues }, wanted }) {
    return made(
      "netdev_max_backlog",
      queues.netdevBacklog,
      (queues.netdevBacklog ?? 0) >= Math.min(burst, wanted),
      "packets that may wait for a CPU; more are dropped",
      [sysctl("net.core.netdev_max_backlog", usualQueue)],
    );
  },
};

/** Whether a TCP server of this host takes part. */
function isServed({ role, kind, isTargetLocal }: Findings["question"]): boolean {
  return (role === "server" || isTargetLocal) && !isUdp(kind);
}

function isUdp(kind: Findings["question"]["kind"]): boolean {
  return kind === "udp" || kind === "quic";
}

/** A connection with data that waits in it takes a page at least; an idle one none. */
function pagesRow(protocol: "tcp" | "udp", { readings, question, wanted }: Findings): LimitRow {
  const { pageBytes } = readings.socketMemory;
  const pages = readings.socketMemory[protocol];
  const isUsed = isUdp(question.kind) === (protocol === "udp");
  const row = made(
    `${protocol}_mem`,
    pages?.max,
    !isUsed || pages === undefined || wanted + pages.used <= pages.pressure,
    pages === undefined
      ? "data that waits in sockets of the host"
      : `${formatBytes((pages.max - pages.used) * pageBytes)} of data may wait in sockets: ` +
        `a page in ${formatCount(Math.max(0, pages.pressure - pages.used))} without pressure`,
    pages === undefined ? [] : [sysctl(`net.ipv4.${protocol}_mem`, widened(pages, wanted))],
  );
  if (pages === undefined) return row;
  const { min, pressure, max, used } = pages;
  const limits = [min, pressure, max].map((limit) => String(limit)).join(" ");
  return { ...row, value: `${limits}, ${formatCount(used)} used` };
}

/** In the proportions in which the kernel sets them at boot: 3/4, 1, 3/2. */
function widened({ used }: SocketPages, connections: number): string {
  const pressure = used + connections;
  return [pressure * 0.75, pressure, pressure * 1.5].map(Math.ceil).join(" ");
}

/** Datagrams are dropped where a buffer is full; streams wait. */
function buffersRow(name: "rmem" | "wmem", { readings, question }: Findings): LimitRow {
  const memory = readings.socketMemory;
  const [standard, max] = name === "rmem"
    ? [memory.rmemDefault, memory.rmemMax]
    : [memory.wmemDefault, memory.wmemMax];
  const isEnough = !isUdp(question.kind) || memory.isExempt || (max ?? 0) >= bufferBytes;
  const way = name === "rmem" ? "receive" : "send";
  const row = made(
    `${name}_default, _max`,
    max,
    isEnough,
    `${way} buffer of a UDP socket, of which ${formatBytes(bufferBytes)} is asked for` +
      (memory.isExempt ? " (root gets it)" : ""),
    [sysctl(`net.core.${name}_max`, bufferBytes)],
  );
  if (standard === undefined || max === undefined) return row;
  return { ...row, value: `${formatBytes(standard)}, ${formatBytes(max)}` };
}

function made(
  name: string,
  value: number | undefined,
  isEnough: boolean,
  note: string,
  remedies: readonly Remedy[],
  connections?: number,
): LimitRow {
  if (value === undefined) {
    return {
      name,
      value: "not known here",
      connections: undefined,
      note,
      verdict: "unknown",
      remedies: [],
    };
  }
  return {
    name,
    value: value < 10 ? String(value) : formatCount(value),
    connections,
    note,
    verdict: isEnough ? "pass" : "short",
    remedies: isEnough ? [] : remedies,
  };
}

function sysctl(name: string, value: number | string): Remedy {
  return { kind: "sysctl", name, value: String(value) };
}
