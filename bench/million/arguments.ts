import { UsageError } from "../../lib/errors.ts";
import { flag } from "../../lib/options/text.ts";
import { positiveDuration } from "../../lib/options/duration.ts";
import { count, rate } from "../../lib/options/quantity.ts";
import type { Kind } from "../../lib/options/kind.ts";

/** Connections that one process holds: below the 20,000 descriptors that it may have. */
const connectionsPerProcess = 19_000;

export interface MillionSettings {
  readonly connections: number;
  readonly connectsPerSecond: number;
  /** How long the connections are held once all are open, and what is measured. */
  readonly holdMs: number;
  /** Each connection sends a message this often. */
  readonly intervalMs: number;
  /** Until the memory is read that processes take without connections. */
  readonly restMs: number;
  /** Processes on either side. */
  readonly workers: number;
  /** Descriptors that each process may have. */
  readonly fdLimit: number;
  /** Goes on after the hold, until something breaks. */
  readonly isBeyond: boolean;
  /** As far as that; undefined: as far as there is memory. */
  readonly mostConnections: number | undefined;
  /** Sets what the kernel has too little of. */
  readonly isApplying: boolean;
}

interface Argument {
  // deno-lint-ignore no-explicit-any
  readonly kind: Kind<any>;
  readonly summary: string;
}

const known: Readonly<Record<string, Argument>> = {
  connections: { kind: count, summary: "how many (1M)" },
  "connect-rate": { kind: rate, summary: "opened per second (5000)" },
  hold: { kind: positiveDuration, summary: "how long they are held and measured (2m)" },
  interval: { kind: positiveDuration, summary: "each sends a message this often (1m)" },
  rest: { kind: positiveDuration, summary: "before memory without connections is read (16s)" },
  workers: { kind: count, summary: "processes on either side (one for 19,000 connections)" },
  fds: { kind: count, summary: "descriptors that each process may have (20000)" },
  beyond: { kind: flag, summary: "go on after the hold until something breaks" },
  most: { kind: count, summary: "with --beyond: no more than so many (what memory allows)" },
  apply: { kind: flag, summary: "set the kernel's limits that are short; they are put back" },
};

/** What can be asked for, a line each. */
export function usage(): string {
  return [
    "deno task bench:million [options]",
    "",
    ...Object.entries(known).map(([name, { kind, summary }]) => {
      const value = kind.placeholder === "" ? "" : ` <${kind.placeholder}>`;
      return `  ${`--${name}${value}`.padEnd(24)}  ${summary}`;
    }),
  ].join("\n");
}

/** @throws {UsageError} an argument is unknown or its value is wrong. */
export function parseArguments(args: readonly string[]): MillionSettings {
  const given = new Map<string, unknown>();
  for (let i = 0; i < args.length; i++) {
    const [, name = "", inline] = /^--([a-z-]+)(?:=(.*))?$/.exec(args[i]!) ?? [];
    const argument = Object.hasOwn(known, name) ? known[name] : undefined;
    if (argument === undefined) {
      throw new UsageError(`${JSON.stringify(args[i])} is unknown; there are:\n${usage()}`);
    }
    const isFlag = argument.kind.placeholder === "";
    const text = inline ?? (isFlag ? "true" : args[++i] ?? "");
    try {
      given.set(name, argument.kind.parse(text));
    } catch (cause) {
      throw new UsageError(`--${name}: ${(cause as Error).message}`, { cause });
    }
  }
  const number = (name: string, otherwise: number) => given.get(name) as number ?? otherwise;
  const connections = number("connections", 1_000_000);
  if (given.has("most") && given.get("beyond") !== true) {
    throw new UsageError("--most has no effect without --beyond");
  }
  return {
    connections,
    connectsPerSecond: number("connect-rate", 5000),
    holdMs: number("hold", 120_000),
    intervalMs: number("interval", 60_000),
    // After its start a process gives back some 20 MB within 15 s.
    restMs: number("rest", 16_000),
    workers: number("workers", processesFor(connections)),
    fdLimit: number("fds", 20_000),
    isBeyond: given.get("beyond") === true,
    mostConnections: given.get("most") as number | undefined,
    isApplying: given.get("apply") === true,
  };
}

/**
 * How many processes it takes to hold so many connections. On a server the kernel's hash deals them
 * out: with 53 processes the fullest has about 2 % more than its share.
 */
export function processesFor(connections: number): number {
  return Math.max(1, Math.ceil(connections / connectionsPerProcess));
}
