import type { RunIdentity } from "../../stats/snapshot.ts";
import type { NetworkProtocol } from "../network/network.ts";
import type { BroadcastNodeSettings } from "../node/node_settings.ts";
import { freePorts } from "./free_ports.ts";
import { loopback, type NetworkPlan } from "./network_plan.ts";
import type { NodeJob } from "./node_report.ts";

export interface NodeJobsSettings {
  readonly plan: NetworkPlan;
  readonly protocol: NetworkProtocol;
  readonly run: RunIdentity;
  /** What the instants of all nodes count from. */
  readonly originSeconds: number;
  /** The period of `explore` in which its first trial is. */
  readonly exploreFirstPeriod: number | undefined;
}

/** What each node is told; the same when it is started again, its port too. */
export class NodeJobs {
  readonly #of: NodeJobsSettings;
  readonly #ports: readonly number[];

  /** @throws {HostLimitError} there are not enough free ports. */
  constructor(of: NodeJobsSettings) {
    this.#of = of;
    const { numNodes, firstPort } = of.plan;
    this.#ports = firstPort === undefined
      ? freePorts(numNodes, loopback)
      : Array.from({ length: numNodes }, (_, id) => firstPort + id);
  }

  /** @param measuredFromNs Infinity: not known yet, there is a warm-up. */
  of(id: number, measuredFromNs: number): NodeJob {
    const { plan, protocol, run, originSeconds, exploreFirstPeriod } = this.#of;
    const settings: Omit<BroadcastNodeSettings, "note"> = {
      run,
      nodeId: id,
      numNodes: plan.numNodes,
      protocol,
      listenHost: loopback,
      listenPort: this.#ports[id]!,
      bootstrap: this.#ports.map((port) => `/ip4/${loopback}/tcp/${port}`),
      quic: false,
      mode: plan.mode,
      broadcaster: plan.broadcaster,
      messageBytes: plan.messageBytes,
      heartbeatMs: plan.heartbeatMs,
      roundSeconds: plan.roundSeconds,
      explore: plan.explore,
      forwarding: plan.forwarding,
      bufferSize: plan.bufferSize,
      originSeconds,
      begin: "told",
      measuredFromNs,
      connectTimeoutMs: plan.connectTimeoutMs,
      drainMs: plan.drainMs,
      ...(exploreFirstPeriod === undefined ? {} : { exploreFirstPeriod }),
    };
    const metricPort = plan.metricPorts?.[id];
    return {
      settings,
      metrics: metricPort === undefined ? undefined : { hostname: loopback, port: metricPort },
    };
  }
}
