import process from "node:process";
import { availableMemoryBytes } from "./limits.ts";
import { type ConntrackReadings, readConntrack } from "./conntrack.ts";
import { type QueueReadings, readQueues } from "./connection_queues.ts";
import { type ControlGroupReadings, readControlGroup } from "./control_group.ts";
import { type DescriptorReadings, readDescriptorLimits } from "./descriptor_limits.ts";
import { type PortQuestion, type PortReadings, readPorts } from "./port_use.ts";
import { type ProcessReadings, readProcessLimits } from "./process_limits.ts";
import { readSocketMemory, type SocketMemoryReadings } from "./socket_memory.ts";

/** Everything that limits the connections of this host, as it is now. */
export interface HostReadings {
  /** `linux`, `darwin`, `win32` …; on all but the first most of the rest is not known. */
  readonly platform: string;
  readonly descriptors: DescriptorReadings;
  /** Source ports towards the target; undefined: not known. */
  readonly ports: PortReadings | undefined;
  /** Undefined: there is no connection tracking here, or it is not known. */
  readonly conntrack: ConntrackReadings | undefined;
  readonly queues: QueueReadings;
  readonly socketMemory: SocketMemoryReadings;
  readonly controlGroup: ControlGroupReadings;
  readonly processes: ProcessReadings;
  /** What can be used without swapping, in the control group of this process too. */
  readonly availableMemoryBytes: number;
}

/**
 * Reads them all: about 2 ms, and 1 µs for each socket of the host. Sends itself two datagrams over
 * loopback ({@link readConntrack}).
 */
export async function readHost(question: PortQuestion): Promise<HostReadings> {
  return {
    platform: process.platform,
    descriptors: readDescriptorLimits(),
    ports: readPorts(question),
    conntrack: await readConntrack(question.targetAddress?.includes(":")),
    queues: readQueues(),
    socketMemory: readSocketMemory(),
    controlGroup: readControlGroup(),
    processes: readProcessLimits(),
    availableMemoryBytes: availableMemoryBytes(),
  };
}
