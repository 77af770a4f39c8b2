import { messageOf } from "../errors.ts";
import type { Failure, FailureKind } from "../stats/failure.ts";
import type { NativeFailures } from "./native_failure.ts";
import type { NativeClose } from "./quic_native.ts";

/** RFC 9000, section 20.1. */
const transportErrors: readonly string[] = [
  "NO_ERROR",
  "INTERNAL_ERROR",
  "CONNECTION_REFUSED",
  "FLOW_CONTROL_ERROR",
  "STREAM_LIMIT_ERROR",
  "STREAM_STATE_ERROR",
  "FINAL_SIZE_ERROR",
  "FRAME_ENCODING_ERROR",
  "TRANSPORT_PARAMETER_ERROR",
  "CONNECTION_ID_LIMIT_ERROR",
  "PROTOCOL_VIOLATION",
  "INVALID_TOKEN",
  "APPLICATION_ERROR",
  "CRYPTO_BUFFER_EXCEEDED",
  "KEY_UPDATE_ERROR",
  "AEAD_LIMIT_REACHED",
  "NO_VIABLE_PATH",
];
const internalError = 0x1;
const connectionRefused = 0x2;
const noViablePath = 0x10;
/** CRYPTO_ERROR: 0x100 + the TLS alert (RFC 9001, section 4.8). */
const cryptoError = 0x100;
const lastCryptoError = 0x1ff;
const noApplicationProtocol = cryptoError + 120;
/** lsquic's own words; with the same code a peer's handshake_failure has others. */
const handshakeTimedOut = "handshake timed out";
/** What an lsquic server says with APPLICATION_ERROR after 60 s without data on any stream. */
const lackOfProgress = /lack of progress/;

/** Everything of a `QuicError` that matters here. */
interface QuicError extends Error {
  readonly code: string;
  readonly errorCode: bigint;
  readonly type: "transport" | "application";
  readonly reason?: string;
}

function isQuicError(error: unknown): error is QuicError {
  return error instanceof Error && "errorCode" in error && typeof error.errorCode === "bigint";
}

/** An orderly end, of which the peer says `closed-by-peer`. */
export const orderlyClose: NativeClose = { code: 0, type: "application" };
/** `terminate`: the peer says `reset`, as of a TCP RST. */
export const abortClose: NativeClose = { code: 1, type: "application", reason: "terminated" };
/** Nothing moved for too long; to the peer an orderly end. */
export const idleClose: NativeClose = { code: 0, type: "application", reason: "idle" };
/** The peer says `refused`. */
export const refusedClose: NativeClose = {
  code: connectionRefused,
  type: "transport",
  reason: "too many connections",
};
/** bad_certificate (42): its name or address is not the one that was dialled. */
export const badCertificateClose: NativeClose = { code: cryptoError + 42, type: "transport" };

/**
 * What the error of a session means. An application's code 0 is an orderly end; any other means
 * that the peer gave the connection up, as an RST does. INTERNAL_ERROR also stands for a stateless
 * reset.
 */
export function quicFailure(failures: NativeFailures, error: unknown): Failure {
  if (!isQuicError(error)) {
    return failures.of(error, messageOf(error).includes("version") ? "protocol" : "unreachable");
  }
  const code = Number(error.errorCode);
  // The peer chose the words.
  const reason = (error.reason ?? "").replace(/[^ -~]/g, "?").slice(0, 100);
  const because = reason === "" ? "" : ` (${reason})`;
  if (error.type === "application") {
    const kind = code === 0 ? "closed-by-peer" : "reset";
    return failures.named(`QUIC application error ${code}${because}`, kind);
  }
  if (reason === handshakeTimedOut) return failures.named("QUIC handshake timed out", "timeout");
  const kind = lackOfProgress.test(reason) ? "idle" : kindOf(code);
  return failures.named(`QUIC ${nameOf(code)}${because}`, kind);
}

function kindOf(code: number): FailureKind {
  if (code === noApplicationProtocol) return "protocol";
  if (code >= cryptoError && code <= lastCryptoError) return "tls";
  if (code === internalError) return "reset";
  if (code === connectionRefused) return "refused";
  if (code === noViablePath) return "unreachable";
  return code === 0 ? "closed-by-peer" : "protocol";
}

function nameOf(code: number): string {
  if (code >= cryptoError && code <= lastCryptoError) {
    return `CRYPTO_ERROR, TLS alert ${code - cryptoError}`;
  }
  return transportErrors[code] ?? `transport error 0x${code.toString(16)}`;
}
