import { sysctlNumber } from "./kernel_file.ts";

/** Settings that say how many connects and packets may wait; undefined: not known here. */
export interface QueueReadings {
  /** `net.core.somaxconn`: connections that a listener has not accepted yet. */
  readonly somaxconn: number | undefined;
  /** `net.ipv4.tcp_max_syn_backlog`: handshakes that are not complete yet, of one listener. */
  readonly synBacklog: number | undefined;
  /** `net.ipv4.tcp_syncookies`: 1 answers by cookies where that queue is full, 0 drops. */
  readonly synCookies: number | undefined;
  /** `net.ipv4.tcp_tw_reuse`: 0 no, 1 yes, 2 between loopback addresses. */
  readonly timeWaitReuse: number | undefined;
  /** `net.core.netdev_max_backlog`: packets that wait for one CPU. */
  readonly netdevBacklog: number | undefined;
}

export function readQueues(): QueueReadings {
  return {
    somaxconn: sysctlNumber("net.core.somaxconn"),
    synBacklog: sysctlNumber("net.ipv4.tcp_max_syn_backlog"),
    synCookies: sysctlNumber("net.ipv4.tcp_syncookies"),
    timeWaitReuse: sysctlNumber("net.ipv4.tcp_tw_reuse"),
    netdevBacklog: sysctlNumber("net.core.netdev_max_backlog"),
  };
}
