import { contentOf } from "./kernel_file.ts";

/** What the network interfaces of this network namespace have carried, since each came up. */
export interface InterfaceBytes {
  readonly sent: number;
  readonly received: number;
}

/** All interfaces by name; none where the kernel does not tell (not Linux). */
export function readInterfaceBytes(): ReadonlyMap<string, InterfaceBytes> {
  return parseInterfaceBytes(contentOf("/proc/net/dev"));
}

/**
 * The format of `/proc/net/dev` (proc(5)): after two lines of titles one line an interface, with its
 * name, eight numbers about what it received and eight about what it sent; of each, the first are
 * bytes. Lines of another form are skipped.
 */
export function parseInterfaceBytes(text: string): ReadonlyMap<string, InterfaceBytes> {
  const interfaces = new Map<string, InterfaceBytes>();
  for (const line of text.split("\n")) {
    // Where the first number is long, no space is between it and the name.
    const match = /^\s*([^\s/]{1,15}):\s*(\d{1,20})((?:\s+\d{1,20}){15})\s*$/.exec(line);
    if (match === null) continue;
    const sent = match[3]!.trim().split(/\s+/)[7];
    interfaces.set(match[1]!, { sent: Number(sent), received: Number(match[2]) });
  }
  return interfaces;
}

/**
 * Whether what an interface carries comes from other hosts or goes there: not loopback, and not the
 * `ifb` devices, through which the kernel's traffic control sends a second time what arrived.
 */
export function isExternalInterface(name: string): boolean {
  return name !== "lo" && !/^ifb\d*$/.test(name);
}

/**
 * The bytes of all external interfaces together. An interface that comes or goes, or whose counters
 * begin anew, never lets the sum fall.
 */
export class TrafficMeter {
  #before: ReadonlyMap<string, InterfaceBytes> | undefined;
  #sent = 0;
  #received = 0;
  #sentSince = 0;
  #receivedSince = 0;

  /** Takes the next reading of `readInterfaceBytes`. */
  take(interfaces: ReadonlyMap<string, InterfaceBytes>): void {
    let [sent, received] = [0, 0];
    for (const [name, now] of interfaces) {
      if (!isExternalInterface(name)) continue;
      const before = this.#before?.get(name);
      sent += growth(before?.sent, now.sent);
      received += growth(before?.received, now.received);
    }
    this.#sent += sent;
    this.#received += received;
    // The first reading says what was before, not what happened since.
    const isFirst = this.#before === undefined;
    this.#sentSince = isFirst ? 0 : sent;
    this.#receivedSince = isFirst ? 0 : received;
    this.#before = interfaces;
  }

  /** Since the interfaces came up. */
  get total(): InterfaceBytes {
    return { sent: this.#sent, received: this.#received };
  }

  /** Between the last two readings. */
  get current(): InterfaceBytes {
    return { sent: this.#sentSince, received: this.#receivedSince };
  }
}

/** Counters that are below what they were have begun anew. */
function growth(before = 0, now: number): number {
  return now >= before ? now - before : now;
}
