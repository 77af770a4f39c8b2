import { isUtf8 } from "node:buffer";
import { closeCodes, isCloseCode } from "./websocket_close.ts";
import { maxControlPayloadBytes, opcodes } from "./websocket_frames.ts";

/** What is wrong with a frame from a server, and the code to close with because of it. */
export interface FrameFault {
  readonly code: number;
  readonly detail: string;
}

/**
 * Checks a header against RFC 6455, sections 5.1, 5.2, 5.4 and 5.5.
 *
 * @param first its first byte, `second` its second.
 * @param isInMessage a fragmented message is under way, of which `assembledBytes` have come.
 */
export function headerFault(
  first: number,
  second: number,
  payloadBytes: number,
  isInMessage: boolean,
  assembledBytes: number,
  maxMessageBytes: number,
): FrameFault | undefined {
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) {
    return violation("a frame with a reserved bit set, though no extension was agreed");
  }
  if ((second & 0x80) !== 0) return violation("a masked frame from a server");
  const form = second & 0x7f;
  if ((form === 126 && payloadBytes < 126) || (form === 127 && payloadBytes < 65536)) {
    return violation(`a length of ${payloadBytes} not written in its shortest form`);
  }
  if (form === 127 && payloadBytes > Number.MAX_SAFE_INTEGER) {
    return violation("a length of more than 2^53 bytes");
  }
  if (opcode >= opcodes.close) {
    if (opcode > opcodes.pong) return violation(`the unknown opcode ${opcode}`);
    if ((first & 0x80) === 0) return violation("a fragmented control frame");
    if (payloadBytes > maxControlPayloadBytes) {
      return violation(
        `a control frame of ${payloadBytes} bytes; ${maxControlPayloadBytes} are allowed`,
      );
    }
    return undefined;
  }
  if (opcode > opcodes.binary) return violation(`the unknown opcode ${opcode}`);
  if (opcode === opcodes.continuation && !isInMessage) {
    return violation("a continuation frame without a message to continue");
  }
  if (opcode !== opcodes.continuation && isInMessage) {
    return violation("a new message inside a fragmented one");
  }
  const messageBytes = assembledBytes + payloadBytes;
  if (messageBytes > maxMessageBytes) {
    return {
      code: closeCodes.tooBig,
      detail: `a message of ${messageBytes} bytes or more; at most ${maxMessageBytes} are accepted`,
    };
  }
  return undefined;
}

/** Text that is not UTF-8 ends the connection (RFC 6455, section 8.1). */
export function textFault(payload: Uint8Array): FrameFault | undefined {
  if (isUtf8(payload)) return undefined;
  return { code: closeCodes.invalidPayload, detail: "a text message that is not UTF-8" };
}

/** Checks the payload of a close frame that is not empty: a code and a reason (section 5.5.1). */
export function closeFault(payload: Uint8Array): FrameFault | undefined {
  if (payload.length === 1) return violation("a close frame with half a code");
  const code = closeCodeOf(payload);
  if (!isCloseCode(code)) {
    return violation(`a close frame with the code ${code}, which may not be sent`);
  }
  if (isUtf8(payload.subarray(2))) return undefined;
  return { code: closeCodes.invalidPayload, detail: "a close frame whose reason is not UTF-8" };
}

/** The code that a payload of 2 bytes or more begins with. */
export function closeCodeOf(payload: Uint8Array): number {
  return (payload[0]! << 8) | payload[1]!;
}

function violation(detail: string): FrameFault {
  return { code: closeCodes.protocolError, detail };
}
