import { errors } from "./errors.ts";

/**
 * What a peer sent is not WAMP, or not allowed now. It ends that one session with ABORT, whose
 * reason is `uri`; the process never sees it.
 */
export class ProtocolViolation extends Error {
  readonly uri: string;

  constructor(message: string, uri: string = errors.protocolViolation, cause?: unknown) {
    super(message, { cause });
    this.name = "ProtocolViolation";
    this.uri = uri;
  }
}
