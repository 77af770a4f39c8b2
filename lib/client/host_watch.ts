import { readKernelCounters } from "../host/kernel_counters.ts";
import { isLocalAddress } from "../host/local_addresses.ts";
import { totalLost } from "../stats/metrics.ts";
import type { ClientHistograms, ClientSnapshot } from "../stats/snapshot.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { resolveHost } from "../transport/resolve.ts";
import { gatherEvidence, type GatherSettings, sampleOf, startSample } from "./ramp_evidence.ts";
import { ownLimits } from "./ramp_limit.ts";

/**
 * Asks after a run in which something was lost whether this host was the limit, as a ramp does: a
 * full connection tracking table or a lack of memory look like a target that does not answer.
 */
export class HostWatch {
  readonly #gathering: GatherSettings;
  readonly #start = startSample(readKernelCounters(), undefined);
  #faults: readonly string[] = [];

  /** @throws {TargetUnreachableError} the host does not resolve. */
  static async start(endpoint: Endpoint, maxLatenessP99Ns: number): Promise<HostWatch> {
    const addresses = await resolveHost(endpoint.host);
    const isLocal = addresses.every(isLocalAddress);
    return new HostWatch({
      endpoint,
      isLocal,
      maxLatenessP99Ns,
      responseBoundNs: Infinity,
      processes: 1,
    });
  }

  private constructor(gathering: GatherSettings) {
    this.#gathering = gathering;
  }

  /** One sentence for each limit of this host that the run has met; known once it is done. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  /** A second is over: see `SecondHandler`. */
  second(
    interval: ClientHistograms,
    _startNs: number,
    endNs: number,
    snapshot: ClientSnapshot,
  ): void {
    const { phase, connections, messages } = snapshot;
    if (phase !== "done") return;
    if (connections.failed + connections.lost + totalLost(messages.lost) === 0) return;
    // Now, while the sockets are still there.
    const end = sampleOf(endNs / 1e6, snapshot, interval, readKernelCounters(), undefined);
    const wholeRun = { atMs: 0, connections: 0, broken: [], affected: "both" } as const;
    this.#faults = ownLimits(gatherEvidence(wholeRun, [this.#start, end], this.#gathering));
  }
}
