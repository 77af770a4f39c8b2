import type { ServerSpread } from "../stats/outage.ts";

const none = 0xffff;

/**
 * How the open connections spread over servers.
 *
 * A connection costs 2 bytes.
 */
export class ServerTally {
  private readonly numbers = new Map<string, number>();
  private readonly names: string[] = [];
  private readonly open: number[] = [];
  private readonly serverOf: Uint16Array;

  constructor(connections: number) {
    this.serverOf = new Uint16Array(connections).fill(none);
  }

  /** A connection to this server is open. */
  enter(id: number, server: string): void {
    let number = this.numbers.get(server);
    if (number === undefined) {
      if (this.names.length === none) return;
      number = this.names.length;
      this.numbers.set(server, number);
      this.names.push(server);
      this.open.push(0);
    }
    this.serverOf[id] = number;
    this.open[number]!++;
  }

  /** The connection is open no more. */
  leave(id: number): void {
    const number = this.serverOf[id]!;
    if (number === none) return;
    this.serverOf[id] = none;
    this.open[number]!--;
  }

  /** Every server that was ever met, with its open connections, in the order in which it was met. */
  spread(): ServerSpread {
    return Object.fromEntries(this.names.map((name, number) => [name, this.open[number]!]));
  }
}
