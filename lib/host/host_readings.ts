import process from "node:process";
import { hostMemoryBytes } from "./limits.ts";
import { type ConntrackReadings, readConntrack } from "./conntrack.ts";
import { type QueueReadings, readQueues } from "./connection_queues.ts";
import { type ControlGroupReadings, readControlGroup } from "./control_group.ts";
import { type DescriptorReadings, readDescriptorLimits } from "./descriptor_limits.ts";
import { type ProcessReadings, readProcessLimits } from "./process_limits.ts";
import { readSocketMemory, type SocketMemoryReadings } from "./socket_memory.ts";
import { readSources, type SourceQuestion, type SourceReadings } from "./source_pairs.ts";

/** Everything that limits the connections of this host, as it is now. */
export interface HostReadings {
  /** `linux`, `darwin`, `win32` …; on all but the first most of the rest is not known. */
  readonly platform: string;
  readonly descriptors: DescriptorReadings;
  /** Source addresses and ports towards the target; undefined: not known. */
  readonly sources: SourceReadings | undefined;
  /** Undefined: there is no connection tracking here, or it is not known. */
  readonly conntrack: ConntrackReadings | undefined;
  readonly queues: QueueReadings;
  readonly socketMemory: SocketMemoryReadings;
  readonly controlGroup: ControlGroupReadings;
  readonly processes: ProcessReadings;
  /** What the host can use without swapping. */
  readonly hostMemoryBytes: number;
}

/**
 * Reads them all: about 2 ms, and 1 µs for each socket of the host. Sends itself two datagrams over
 * loopback ({@link readConntrack}).
 */
export async function readHost(question: SourceQuestion): Promise<HostReadings> {
  return {
    platform: process.platform,
    descriptors: readDescriptorLimits(),
    sources: readSources(question),
    conntrack: await readConntrack(question.target?.addresses[0]?.includes(":")),
    queues: readQueues(),
    socketMemory: readSocketMemory(),
    controlGroup: readControlGroup(),
    processes: readProcessLimits(),
    hostMemoryBytes: hostMemoryBytes(),
  };
}
