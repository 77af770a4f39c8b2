import { messageOf } from "../../errors.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";

/** What came is not in the serialization that was agreed on. */
export function malformed(name: string, cause: unknown): ProtocolViolation {
  if (cause instanceof ProtocolViolation) return cause;
  const reason = typeof cause === "string" ? cause : messageOf(cause);
  return new ProtocolViolation(`not a message in ${name}: ${reason}`, undefined, cause);
}
