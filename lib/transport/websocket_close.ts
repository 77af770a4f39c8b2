import type { Failure } from "../stats/failure.ts";
import { maxControlPayloadBytes } from "./websocket_frames.ts";

/** RFC 6455 7.4.1: why a connection is closed. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  /** Never sent: stands for a close frame without a code. */
  noStatus: 1005,
  /** Never sent: stands for an end without a close frame. */
  abnormal: 1006,
  invalidPayload: 1007,
  tooBig: 1009,
  internalError: 1011,
} as const;

/**
 * Whether a peer may send this close code: those that RFC 6455 7.4 and the IANA registry define for
 * the wire, and the ranges left to libraries and applications.
 */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

/** The payload of a close frame: the code and a reason, cut so that it fits a control frame. */
export function closePayload(code: number, reason: string): Uint8Array {
  const payload = new Uint8Array(maxControlPayloadBytes);
  payload[0] = code >>> 8;
  payload[1] = code & 0xff;
  // encodeInto never splits a character.
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

/** One object for each text, so that a mass failure allocates next to nothing. */
const known = new Map<string, Failure>();

/** The failure for a close frame that this side did not ask for. */
export function closedByPeer(peer: "client" | "server", code: number, reason: string): Failure {
  const status = code === closeCodes.noStatus ? "without a code" : `${code}`;
  const text = oneLine(reason);
  const detail = `the ${peer} sent a close frame ${status}${text === "" ? "" : ` ${text}`}`;
  let failure = known.get(detail);
  if (failure === undefined) {
    failure = { kind: "closed-by-peer", detail };
    // The bound is for peers that make their reasons vary.
    if (known.size < 1000) known.set(detail, failure);
  }
  return failure;
}

/** Text from the peer, fit for one line of a report. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.slice(0, 123).replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").trim();
}
