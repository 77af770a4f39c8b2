import type { Scheme } from "../transport/endpoint.ts";

/** Why a connection is not let in. */
export type RefusalReason = "max-connections" | "fd-limit";

export interface AdmissionSettings {
  /** Open connections over all endpoints; Infinity: no limit of their number. */
  readonly maxConnections: number;
  /** Open connections that have a descriptor each; Infinity where nothing limits them. */
  readonly maxDescriptors: number;
}

/**
 * Decides for all endpoints together who is let in. The descriptors are counted, because running
 * out of them cannot be handled: the accept loop would spin and say nothing.
 */
export class Admission {
  readonly settings: AdmissionSettings;
  #open = 0;
  #descriptors = 0;

  constructor(settings: AdmissionSettings) {
    this.settings = settings;
  }

  /** Why one more connection would be refused now; undefined: it would not. */
  refusal(hasDescriptor: boolean): RefusalReason | undefined {
    if (this.#open >= this.settings.maxConnections) return "max-connections";
    if (hasDescriptor && this.#descriptors >= this.settings.maxDescriptors) return "fd-limit";
    return undefined;
  }

  /** How many more connections would be let in now. */
  room(hasDescriptor: boolean): number {
    const room = this.settings.maxConnections - this.#open;
    return hasDescriptor ? Math.min(room, this.settings.maxDescriptors - this.#descriptors) : room;
  }

  /** The refusal in words, for people. */
  explain(reason: RefusalReason): string {
    const { maxConnections, maxDescriptors } = this.settings;
    return reason === "max-connections"
      ? `max-connections ${maxConnections} are open`
      : `fd-limit: ${maxDescriptors} connections use up the descriptors; raise ulimit -n`;
  }

  enter(hasDescriptor: boolean): void {
    this.#open++;
    if (hasDescriptor) this.#descriptors++;
  }

  leave(hasDescriptor: boolean): void {
    this.#open--;
    if (hasDescriptor) this.#descriptors--;
  }
}

/** Whether each connection of a transport has a file descriptor: datagrams share their socket's. */
export function hasDescriptor(scheme: Scheme): boolean {
  return scheme !== "udp" && scheme !== "quic";
}
