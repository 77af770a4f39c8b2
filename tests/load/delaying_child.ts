import { ChildServer } from "./child_server.ts";
import type { DelayingServerReport } from "./delaying_server.ts";

export interface DelayingChildSettings {
  readonly transport?: "tcp" | "udp";
  readonly delayMs?: number;
  readonly backlog?: number;
}

/** A server in a process of its own that answers each message after the same delay. */
export function startDelayingChild(settings: DelayingChildSettings = {}) {
  const { transport = "tcp", delayMs = 0, ...others } = settings;
  return ChildServer.start<DelayingServerReport>("delaying_server.ts", {
    transport,
    frameBytes: 32,
    delays: [{ ms: delayMs, share: 1 }],
    ...others,
  });
}
