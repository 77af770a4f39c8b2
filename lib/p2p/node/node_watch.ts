import { formatDuration } from "../../stats/figures.ts";
import { networkEventTypes } from "../network/network.ts";
import { broadcastDropReasons, type NodeSnapshot, refusalReasons } from "../snapshot.ts";
import type { NodeLog } from "./node_log.ts";

/** Tells what has changed on a node between two looks at it. */
export class NodeWatch {
  private last: NodeSnapshot | undefined;

  constructor(private readonly log: NodeLog) {}

  look(snapshot: NodeSnapshot): void {
    const { last } = this;
    this.last = snapshot;
    this.phases(snapshot, last);
    this.peers(snapshot, last);
    this.senders(snapshot, last);
    if (!this.log.tells("debug")) return;
    this.changes("network event", networkEventTypes, snapshot.events, last?.events);
    this.changes(
      "dropped",
      broadcastDropReasons,
      snapshot.broadcast.dropped,
      last?.broadcast.dropped,
    );
    this.changes("refused", refusalReasons, snapshot.received.refused, last?.received.refused);
  }

  private phases({ phase, clockSteps }: NodeSnapshot, last: NodeSnapshot | undefined): void {
    if (phase !== last?.phase) this.log.tell("info", `phase: ${phase}`);
    if (clockSteps.count > (last?.clockSteps.count ?? 0)) {
      this.log.tell(
        "warn",
        `the clock of this host was set by ${formatDuration(clockSteps.lastNs)}: one-way delays ` +
          `and turns go by it`,
      );
    }
  }

  private peers({ peers, numNodes, phase, resets }: NodeSnapshot, last: NodeSnapshot | undefined) {
    const before = last?.peers.connected ?? 0;
    if (peers.connected === before) return;
    const text = `${peers.connected} of ${numNodes - 1} peers are connected`;
    const isBroadcasting = phase === "running" || phase === "warmup";
    const isLoss = peers.connected < before && isBroadcasting && resets === last?.resets;
    this.log.tell(isLoss ? "warn" : "info", text);
  }

  private senders({ senders }: NodeSnapshot, last: NodeSnapshot | undefined): void {
    for (const { sender, restarts } of senders) {
      const before = last?.senders.find((each) => each.sender === sender)?.restarts ?? 0;
      if (restarts > before) this.log.tell("warn", `node ${sender} was restarted`);
    }
  }

  private changes<Name extends string>(
    what: string,
    names: readonly Name[],
    counts: Readonly<Record<Name, number>>,
    before: Readonly<Record<Name, number>> | undefined,
  ): void {
    for (const name of names) {
      const change = counts[name] - (before?.[name] ?? 0);
      if (change > 0) this.log.tell("debug", `${what} ${name}: ${change}`);
    }
  }
}
