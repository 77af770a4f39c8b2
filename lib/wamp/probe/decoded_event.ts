import type { Event } from "../message/message.ts";
import { uint32At } from "./binary_event_scanner.ts";
import type { EventFields } from "./event_scanner.ts";
import { payloadHeadBytes } from "./payload_maker.ts";

/** What a probe reads in an event that was decoded; undefined: it is not of a probe. */
export function readEvent(message: Event): (EventFields & { readonly name: string }) | undefined {
  const [, , , details, args] = message;
  if (!Array.isArray(args) || args.length !== 5) return undefined;
  const [name, , loop, counter, payload] = args as unknown[];
  const isOfProbe = typeof name === "string" && isCount(loop) && isCount(counter) &&
    payload instanceof Uint8Array;
  if (!isOfProbe) return undefined;
  const hasHead = payload.length >= payloadHeadBytes;
  const forwardFor = details["forward_for"];
  return {
    name,
    isForwarded: forwardFor !== undefined && forwardFor !== null,
    loop,
    counter,
    payloadBytes: payload.length,
    timeHigh: hasHead ? uint32At(payload, 0) : 0,
    timeLow: hasHead ? uint32At(payload, 4) : 0,
    tag: hasHead ? uint32At(payload, 8) : 0,
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
