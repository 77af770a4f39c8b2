/** A time in which a node was down, or up and not back in the full mesh. */
export interface NodeDownTime {
  /** When its process was killed or ended. */
  readonly downNs: number;
  /** When its successor was started; Infinity while there is none. */
  startedNs: number;
  /** When that was in the full mesh again; Infinity until then. */
  backNs: number;
  /** Messages that were due until then, from its end on, and never arrived. */
  missed: number;
  /** Messages that were due before its end, of which it is not known whether they had arrived. */
  unknown: number;
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
    this.#byNode[node]?.push({
      downNs: atNs,
      startedNs: Infinity,
      backNs: Infinity,
      missed: 0,
      unknown: 0,
    });
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
    return this.#blamed(node, dueNs)?.standing ?? "up";
  }

  /** The same for a message that the node will never have, which is counted where it was lost. */
  lost(node: number, dueNs: number): Standing {
    const blamed = this.#blamed(node, dueNs);
    if (blamed === undefined) return "up";
    if (blamed.standing === "down") blamed.time.missed++;
    else blamed.time.unknown++;
    return blamed.standing;
  }

  #blamed(node: number, dueNs: number): { time: NodeDownTime; standing: Standing } | undefined {
    const times = this.#byNode[node] ?? [];
    for (const time of times) {
      if (dueNs <= time.downNs) return { time, standing: "killed-since" };
    }
    for (const time of times) if (dueNs < time.backNs) return { time, standing: "down" };
    return undefined;
  }
}
