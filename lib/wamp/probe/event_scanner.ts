/** What a probe reads in an event. */
export interface EventFields {
  /** Whether it crossed a link between routers: its details have `forward_for`. */
  readonly isForwarded: boolean;
  readonly loop: number;
  readonly counter: number;
  readonly payloadBytes: number;
  /** The first bytes of the payload, as `PayloadMaker` writes them; 0 where there are fewer. */
  readonly timeHigh: number;
  readonly timeLow: number;
  readonly tag: number;
}

/**
 * Reads the events of probes without decoding them: at hundreds of thousands a second, for each of
 * which a decoder would make a dozen objects.
 *
 * An event is `[36, subscription, publication, details, [name, url, loop, counter, payload]]`.
 */
export interface EventScanner extends EventFields {
  /**
   * Reads one message into the fields.
   *
   * @returns whether it is an event of this form; any other message, and an event in a form that no
   * encoder usually writes, is left to the decoder.
   */
  scan(bytes: Uint8Array): boolean;
  /** The name of the publisher, as bytes of the message. */
  readonly nameAt: number;
  readonly nameEnd: number;
}

/** The code of EVENT. */
export const eventCode = 36;

const forwardFor = new TextEncoder().encode("forward_for");

/** Whether a key of the details is `forward_for`. */
export function isForwardFor(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at !== forwardFor.length) return false;
  for (let i = 0; i < forwardFor.length; i++) if (bytes[at + i] !== forwardFor[i]) return false;
  return true;
}

/** How deep the details of an event may be nested; deeper ones are left to the decoder. */
export const mostScannedDepth = 32;
