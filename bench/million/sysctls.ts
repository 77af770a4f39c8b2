import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A limit of the kernel that a run needs. */
export interface Requirement {
  /** `fs.file-max`; several numbers are those of `tcp_mem`. */
  readonly name: string;
  readonly least: readonly number[];
  readonly why: string;
  /** The run cannot reach its number without it; otherwise it may only be slower. */
  readonly isRequired: boolean;
}

/** One that is short. */
export interface Shortage extends Requirement {
  readonly current: readonly number[];
}

const pageBytes = 4096;

/**
 * What the kernel must allow for so many connections with both ends on this host.
 *
 * @param processes of holdfast, on both sides together.
 * @param isTracked whether the kernel keeps an entry for each connection on loopback (conntrack).
 */
export function requirementsFor(
  connections: number,
  processes: number,
  isTracked: boolean,
): Requirement[] {
  const sockets = 2 * connections;
  return [
    ...(isTracked
      ? [{
        name: "net.netfilter.nf_conntrack_max",
        least: [Math.ceil(1.1 * connections) + 10_000],
        why: "connection tracking, which rules of the firewall have turned on",
        isRequired: true,
      }]
      : []),
    {
      name: "fs.file-max",
      least: [sockets + 200 * processes + 50_000],
      why: `two open files for each connection`,
      isRequired: true,
    },
    {
      name: "fs.nr_open",
      least: [20_000],
      why: "descriptors of a process",
      isRequired: true,
    },
    {
      name: "kernel.threads-max",
      least: [32 * processes + 2000],
      why: `the threads of ${processes} processes`,
      isRequired: true,
    },
    {
      name: "net.ipv4.tcp_mem",
      // Bytes in flight take whole pages: a page a socket, for an eighth of them at the same time.
      least: [sockets / 16, sockets / 12, sockets / 8].map((pages) =>
        Math.max(Math.ceil(pages), 4096)
      ),
      why: `pages of ${pageBytes} bytes for what is in flight on ${sockets} sockets`,
      isRequired: false,
    },
    {
      name: "net.core.somaxconn",
      least: [16_384],
      why: "connections that wait while their server process has no CPU",
      isRequired: false,
    },
    {
      name: "net.ipv4.tcp_max_syn_backlog",
      least: [16_384],
      why: "the same, before their handshake is over",
      isRequired: false,
    },
    {
      name: "net.core.netdev_max_backlog",
      least: [65_536],
      why: "packets on loopback that wait for a CPU",
      isRequired: false,
    },
  ];
}

/**
 * The kernel's limits under `/proc/sys`. What `raise` has set, `restore` puts back; until then a
 * script that does the same lies in a file, for the case that this process is killed.
 */
export class Sysctls {
  /** As they were, the latest first. */
  readonly #original: { readonly name: string; readonly text: string }[] = [];

  /**
   * @param undoFile where the script is kept.
   * @param root `/proc/sys`, or a copy of it.
   */
  constructor(readonly undoFile: string, private readonly root = "/proc/sys") {}

  #path(name: string): string {
    return join(this.root, name.replaceAll(".", "/"));
  }

  #read(name: string): string {
    return readFileSync(this.#path(name), "latin1").trim();
  }

  /** Those that this kernel knows and that are too small. */
  shortages(requirements: readonly Requirement[]): Shortage[] {
    return requirements.flatMap((requirement) => {
      let current: number[];
      try {
        current = this.#read(requirement.name).split(/\s+/).map(Number);
      } catch {
        return []; // this kernel has no such limit
      }
      const isShort = requirement.least.some((least, i) => !(current[i]! >= least));
      return isShort ? [{ ...requirement, current }] : [];
    });
  }

  /** What a shell would set, and what each was. */
  commandsFor(shortages: readonly Shortage[]): string[] {
    return shortages.map(({ name, least, current, why }) =>
      `sysctl -w ${name}="${raised(least, current)}"   # was ${current.join(" ")}: ${why}`
    );
  }

  /**
   * Sets what is short. Whatever happens then, `restore` has to be called.
   *
   * @throws {Error} the kernel does not let this process; what was set before is put back.
   */
  raise(shortages: readonly Shortage[]): void {
    try {
      for (const { name, least, current } of shortages) {
        this.#original.unshift({ name, text: this.#read(name) });
        this.#keepUndo();
        writeFileSync(this.#path(name), raised(least, current));
      }
    } catch (cause) {
      this.restore();
      throw new Error(`cannot set sysctls (are you root?): ${(cause as Error).message}`, { cause });
    }
  }

  #keepUndo(): void {
    const lines = this.#original.map(({ name, text }) => `sysctl -w ${name}="${text}"`);
    writeFileSync(this.undoFile, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  }

  /** Puts everything back; a second call finds nothing to do. Synchronous, for use at exit. */
  restore(): void {
    if (this.#original.length === 0) return;
    const failures: string[] = [];
    for (const { name, text } of this.#original.splice(0)) {
      try {
        writeFileSync(this.#path(name), text);
      } catch (error) {
        failures.push(`${name}="${text}": ${(error as Error).message}`);
      }
    }
    if (failures.length > 0) {
      throw new Error(`cannot put back ${failures.join("; ")} (see ${this.undoFile})`);
    }
    rmSync(this.undoFile, { force: true });
  }
}

/** Numbers that are large enough already stay as they are. */
function raised(least: readonly number[], current: readonly number[]): string {
  return current.map((value, i) => Math.max(value, least[i] ?? value)).join(" ");
}
