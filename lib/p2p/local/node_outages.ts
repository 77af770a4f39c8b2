/** A time in which a node was down, or up and not back in the full mesh. */
export interface NodeDownTime {
  /** When its process was killed or ended. */
  readonly downNs: number;
  /** When its successor was started; Infinity while there is none. */
  startedNs: number;
  /** When that was in the full mesh again; Infinity until then. */
  backNs: number;
}

/** How a receiver stood to a message that it never had. */
export type Standing =
  /** Up when the message was due, and ever since. */
  | "up"
  /** Down, or not back in the full mesh, when the message was due. */
  | "down"
  /** Killed after the message was due: what it had and had not yet said is gone with it. */
  | "killed-since";

/** When each node was down. All instants in nanoseconds of the run's clock. */
export class NodeOutages {
  readonly #byNode: NodeDownTime[][];

  constructor(nodes: number) {
    this.#byNode = Array.from({ length: nodes }, () => []);
  }

  of(node: number): readonly NodeDownTime[] {
    return this.#byNode[node] ?? [];
  }

  down(node: number, atNs: number): void {
    this.#byNode[node]?.push({ downNs: atNs, startedNs: Infinity, backNs: Infinity });
  }

  started(node: number, atNs: number): void {
    const last = this.#byNode[node]?.at(-1);
    if (last?.startedNs === Infinity) last.startedNs = atNs;
  }

  back(node: number, atNs: number): void {
    const last = this.#byNode[node]?.at(-1);
    if (last?.backNs === Infinity) last.backNs = atNs;
  }

  /** When the process that now is the node was started; -Infinity for the first one. */
  lastStartNs(node: number): number {
    return this.#byNode[node]?.at(-1)?.startedNs ?? -Infinity;
  }

  standing(node: number, dueNs: number): Standing {
    const times = this.#byNode[node] ?? [];
    for (const { downNs } of times) if (dueNs <= downNs) return "killed-since";
    for (const { backNs } of times) if (dueNs < backNs) return "down";
    return "up";
  }
}
