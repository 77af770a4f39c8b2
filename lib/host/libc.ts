import { dlopen, ptr } from "bun:ffi";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * What Bun offers no call for, asked of the C library itself. The only file that knows `bun:ffi`.
 *
 * The library is opened at the first use, not at import. Where there is none that fits (macOS,
 * Windows, an unusual libc), nothing here throws: each function says what it returns then. The
 * numeric constants are those of Linux on x86-64 and arm64, which are the same.
 */

const solSocket = 1;
const soSndbuf = 7;
const soRcvbuf = 8;
const soSndbufForce = 32;
const soRcvbufForce = 33;
const ipprotoIp = 0;
const ipRecverr = 11;
const ipprotoIpv6 = 41;
const ipv6Recverr = 25;
const prSetPdeathsig = 1;
const sigkill = 9;
const prSetTimerslack = 29;
const rlimitNofile = 7;
const pollIn = 1;
const clockRealtime = 0;
const clockMonotonic = 1;

/** The kernel doubles what is asked and keeps the result in a signed int. */
const maxBufferBytes = 0x3fffffff;

/** glibc first; then musl under the names that it installs, x86-64 and arm64. */
const libraryNames = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libc.so",
] as const;

function openLibrary(name: string) {
  return dlopen(name, {
    listen: { args: ["i32", "i32"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    ppoll: { args: ["ptr", "u64", "ptr", "ptr"], returns: "i32" },
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
    getrlimit: { args: ["i32", "ptr"], returns: "i32" },
    setrlimit: { args: ["i32", "ptr"], returns: "i32" },
  }).symbols;
}

type Address = ReturnType<typeof ptr>;
type Symbols = ReturnType<typeof openLibrary>;

let opened: Symbols | null | undefined;

/** The C library's functions; null where none can be opened. */
function libc(): Symbols | null {
  if (opened === undefined) opened = open();
  return opened;
}

function open(): Symbols | null {
  if (process.platform !== "linux") return null;
  for (const name of libraryNames) {
    try {
      return openLibrary(name);
    } catch {
      // Not this name; the next one, or none.
    }
  }
  return null;
}

/** Memory that lives as long as the process, so that its address can be kept. */
function memory(bytes: number): { words: Int32Array<ArrayBuffer>; address: Address } {
  const words = new Int32Array(new ArrayBuffer(bytes));
  return { words, address: ptr(words) };
}

/** Whether the C library could be opened, and with it everything below works. */
export function hasLibc(): boolean {
  return libc() !== null;
}

/**
 * Sets the length of the accept queue of a listening socket, by a second listen(2): Bun always asks
 * for 512. The kernel caps it at `net.core.somaxconn`.
 *
 * @returns whether the kernel took it; false too where there is no libc.
 */
export function setListenBacklog(fd: number, backlog: number): boolean {
  const symbols = libc();
  return symbols !== null && symbols.listen(fd, Math.min(backlog, 0x7fffffff)) === 0;
}

/**
 * Sets the receive buffer of a socket (SO_RCVBUF; SO_RCVBUFFORCE where the process may pass
 * `net.core.rmem_max`).
 *
 * @returns what the kernel granted, in bytes as getsockopt(2) tells it, which is twice the usable
 * size (socket(7)); -1 where it cannot be known.
 */
export function setReceiveBuffer(fd: number, bytes: number): number {
  return setBuffer(fd, bytes, soRcvbufForce, soRcvbuf);
}

/** The same as {@link setReceiveBuffer} for the send buffer (SO_SNDBUF, SO_SNDBUFFORCE). */
export function setSendBuffer(fd: number, bytes: number): number {
  return setBuffer(fd, bytes, soSndbufForce, soSndbuf);
}

let optionMemory: ReturnType<typeof memory> | undefined;

function setBuffer(fd: number, bytes: number, forced: number, plain: number): number {
  const symbols = libc();
  if (symbols === null) return -1;
  optionMemory ??= memory(8);
  const { words, address } = optionMemory;
  words[0] = Math.min(bytes, maxBufferBytes);
  if (symbols.setsockopt(fd, solSocket, forced, address, 4) !== 0) {
    symbols.setsockopt(fd, solSocket, plain, address, 4);
  }
  words[1] = 4;
  const lengthAddress = (address + 4) as Address;
  const result = symbols.getsockopt(fd, solSocket, plain, address, lengthAddress);
  return result === 0 ? words[0]! : -1;
}

/**
 * Keeps ICMP errors from an unconnected UDP socket (IP_RECVERR and IPV6_RECVERR off, ip(7)): Bun asks
 * for them, and then what one peer's closed port says fails the next send to any other peer.
 *
 * @returns whether the kernel took it; false too where there is no libc.
 */
export function ignoreIcmpErrors(fd: number): boolean {
  const symbols = libc();
  if (symbols === null) return false;
  optionMemory ??= memory(8);
  const { words, address } = optionMemory;
  words[0] = 0;
  // An IPv6 socket that takes IPv4 too has both; on an IPv4 socket the second fails, as it may.
  const isQuiet = symbols.setsockopt(fd, ipprotoIp, ipRecverr, address, 4) === 0;
  return symbols.setsockopt(fd, ipprotoIpv6, ipv6Recverr, address, 4) === 0 || isQuiet;
}

/**
 * How late the kernel may wake this thread, to save wake-ups (prctl(2) PR_SET_TIMERSLACK; the
 * default is 50,000 ns). It holds for the calling thread and the threads that it starts later.
 *
 * @returns whether the kernel took it; false too where there is no libc.
 */
export function setTimerSlack(ns: number): boolean {
  const symbols = libc();
  return symbols !== null && symbols.prctl(prSetTimerslack, Math.max(1, ns), 0, 0, 0) === 0;
}

/**
 * Has the kernel kill this process when the one that started it has gone, whatever either of them is
 * doing then (prctl(2) PR_SET_PDEATHSIG). One that has gone already is not noticed.
 *
 * @returns whether the kernel took it; false too where there is no libc.
 */
export function dieWithParent(): boolean {
  const symbols = libc();
  return symbols !== null && symbols.prctl(prSetPdeathsig, sigkill, 0, 0, 0) === 0;
}

/** `struct pollfd` in the first 8 bytes, `struct timespec` in the last 16. */
let pollMemory: ReturnType<typeof memory> | undefined;
let pollWords = new Int32Array(0);
let pollAddress: Address | null = null;
let timeAddress: Address | null = null;

/**
 * Blocks this thread until `fd` can be read or `timeoutNs` nanoseconds have passed (ppoll(2)), or a
 * signal comes. On the event loop's own epoll descriptor ({@link findEpollFd}) that is: until the
 * loop has something to do. The loop does not turn meanwhile: keep the timeout at a millisecond or
 * so, and let the loop turn after it.
 *
 * Allocates nothing. Costs about 250 ns where it does not sleep.
 *
 * @returns 1 when `fd` is readable (or not a descriptor), 0 after the time, -1 when interrupted or
 * where there is no libc: then it did not wait.
 */
export function waitForEvents(fd: number, timeoutNs: number): number {
  const symbols = libc();
  if (symbols === null) return -1;
  if (pollMemory === undefined) {
    pollMemory = memory(24);
    pollWords = pollMemory.words;
    pollWords[1] = pollIn; // events in the low half, revents in the high one
    pollAddress = pollMemory.address;
    timeAddress = (pollMemory.address + 8) as Address;
  }
  const ns = timeoutNs > 0 ? Math.min(timeoutNs, 1e18) : 0;
  const seconds = Math.floor(ns / 1e9);
  pollWords[0] = fd;
  pollWords[2] = seconds;
  pollWords[4] = ns - seconds * 1e9;
  return symbols.ppoll(pollAddress, 1, timeAddress, null);
}

/**
 * The epoll descriptor of this thread's event loop. A process can have several: Bun's HTTP client
 * (`fetch`, `bun test`) and every worker own one, numbered in no fixed order. So this one is told by
 * a socket that the loop is made to watch for a moment. Reads
 * `/proc/self/fd`: call it once per thread, before there are many connections.
 *
 * @returns -1 where there is none (not Linux, no `/proc`) or no libc to wait with.
 */
export function findEpollFd(): number {
  if (!hasLibc()) return -1;
  const found = epollFds();
  const only = found.length === 1 ? found[0]! : -1;
  const probe = watchedFd();
  if (probe === undefined) return only;
  try {
    const watched = new RegExp(`^tfd:\\s+${probe.fd}\\s`, "m");
    return found.find((fd) => watched.test(fdInfo(fd))) ?? only;
  } finally {
    probe.close();
  }
}

function epollFds(): number[] {
  return ownFds().filter((fd) => linkOf(fd) === "anon_inode:[eventpoll]");
}

/** A descriptor that this thread's event loop watches: a listener that nobody can find. */
function watchedFd(): { fd: number; close(): void } | undefined {
  try {
    const listener = Bun.listen({
      unix: `\0holdfast-${process.pid}-${crypto.randomUUID()}`, // in the abstract namespace: no file
      socket: { data() {} },
    });
    const { fd } = listener as unknown as { fd: number }; // missing from the types
    return { fd, close: () => listener.stop(true) };
  } catch {
    return undefined;
  }
}

function ownFds(): number[] {
  try {
    return readdirSync("/proc/self/fd").map(Number).sort((a, b) => a - b);
  } catch {
    return [];
  }
}

/** What epoll(7) watches is in its fdinfo, a line `tfd: <fd> …` each: proc(5). */
function fdInfo(fd: number): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "latin1");
  } catch {
    return "";
  }
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // closed since the directory was read
  }
}

let clockMemory: ReturnType<typeof memory> | undefined;

/**
 * The kernel's monotonic clock (clock_gettime(2) CLOCK_MONOTONIC), in nanoseconds since the host
 * started: the same for every process, unlike `Bun.nanoseconds` and `process.hrtime`, which count
 * from the start of theirs.
 *
 * @returns NaN where there is no libc.
 */
export function monotonicNs(): number {
  return readClock(clockMonotonic, 0);
}

/**
 * The real-time clock (clock_gettime(2) CLOCK_REALTIME), in nanoseconds since a whole second since
 * 1970: exact in a double where that second is not more than 104 days away.
 *
 * @returns NaN where there is no libc.
 */
export function realtimeNs(originSeconds: number): number {
  return readClock(clockRealtime, originSeconds);
}

function readClock(clock: number, originSeconds: number): number {
  const symbols = libc();
  if (symbols === null) return NaN;
  clockMemory ??= memory(16);
  if (symbols.clock_gettime(clock, clockMemory.address) !== 0) return NaN;
  const [seconds, ns] = new BigInt64Array(clockMemory.words.buffer);
  return (Number(seconds!) - originSeconds) * 1e9 + Number(ns!);
}

/** Limits on open descriptors, RLIMIT_NOFILE. Infinity: unlimited, or not known here. */
export interface FdLimits {
  /** What holds. */
  readonly soft: number;
  /** How far the soft limit may be raised without privilege. */
  readonly hard: number;
}

let limitMemory: ReturnType<typeof memory> | undefined;

/** The limits as they hold now (getrlimit(2); `/proc/self/limits` where there is no libc). */
export function fdLimits(): FdLimits {
  const symbols = libc();
  if (symbols === null) return fdLimitsFromProc();
  limitMemory ??= memory(16);
  if (symbols.getrlimit(rlimitNofile, limitMemory.address) !== 0) return fdLimitsFromProc();
  const limits = new BigUint64Array(limitMemory.words.buffer);
  return { soft: limitFromKernel(limits[0]!), hard: limitFromKernel(limits[1]!) };
}

/** RLIM_INFINITY is all ones. */
function limitFromKernel(value: bigint): number {
  return value > 0x7fffffffffffffffn ? Infinity : Number(value);
}

function fdLimitsFromProc(): FdLimits {
  let text = "";
  try {
    text = readFileSync("/proc/self/limits", "utf8");
  } catch {
    // Not Linux: nothing is known.
  }
  const match = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(text);
  const limit = (word: string | undefined) =>
    word === undefined || word === "unlimited" ? Infinity : Number(word);
  return { soft: limit(match?.[1]), hard: limit(match?.[2]) };
}

/**
 * Sets the limits on open descriptors (setrlimit(2)). Raising the hard one takes privilege.
 *
 * @returns whether the kernel took it; false too where there is no libc.
 */
export function setFdLimits(limits: FdLimits): boolean {
  const symbols = libc();
  if (symbols === null) return false;
  limitMemory ??= memory(16);
  const words = new BigUint64Array(limitMemory.words.buffer);
  words[0] = limitForKernel(limits.soft);
  words[1] = limitForKernel(limits.hard);
  return symbols.setrlimit(rlimitNofile, limitMemory.address) === 0;
}

function limitForKernel(value: number): bigint {
  return value === Infinity ? 0xffffffffffffffffn : BigInt(Math.floor(value));
}

/**
 * How many descriptors this process has open; -1 where it cannot be known. Costs about a
 * millisecond at 10,000.
 */
export function openFds(): number {
  try {
    return readdirSync("/proc/self/fd").length - 1; // the one that reads the directory
  } catch {
    return -1;
  }
}

const ipprotoTcp = 6;
const tcpInfoOption = 11;
/** Offsets in struct tcp_info (linux/tcp.h), in words of 32 bits. */
const tcpInfoWords = { unacked: 6, rtt: 17, totalRetransmits: 25 } as const;
const leastTcpInfoBytes = 104;

/** What the kernel measures of a TCP connection, below any program of the peer. */
export interface TcpPath {
  readonly peerPort: number;
  /** Smoothed round trip of segments and the acknowledgements of the peer's kernel, in µs. */
  readonly roundTripUs: number;
  /** Segments that are sent and not acknowledged. */
  readonly unacknowledged: number;
  /** Segments sent again, since the connection opened. */
  readonly retransmits: number;
}

let infoMemory: { words: Int32Array<ArrayBuffer>; address: Address } | undefined;

/** @returns undefined where the descriptor is no connected TCP socket, or there is no libc. */
export function tcpPath(fd: number): TcpPath | undefined {
  const symbols = libc();
  if (symbols === null) return undefined;
  // A length, and behind it room for an address or the information.
  infoMemory ??= memory(4 + 256);
  const { words, address } = infoMemory;
  const content = (address + 4) as Address;
  words[0] = 256;
  if (symbols.getpeername(fd, content, address) !== 0) return undefined;
  // sockaddr_in and sockaddr_in6 both have the port in network order after 16 bits.
  const peerPort = ((words[1]! >>> 8) & 0xff00) | (words[1]! >>> 24);
  words[0] = 256;
  if (symbols.getsockopt(fd, ipprotoTcp, tcpInfoOption, content, address) !== 0) return undefined;
  if (words[0]! < leastTcpInfoBytes) return undefined;
  const word = (name: keyof typeof tcpInfoWords) => words[1 + tcpInfoWords[name]]! >>> 0;
  return {
    peerPort,
    roundTripUs: word("rtt"),
    unacknowledged: word("unacked"),
    retransmits: word("totalRetransmits"),
  };
}
