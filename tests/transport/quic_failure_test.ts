import { test } from "bun:test";
import assert from "node:assert/strict";
import { NativeFailures } from "../../lib/transport/native_failure.ts";
import { quicFailure } from "../../lib/transport/quic_failure.ts";

function failureOf(type: "transport" | "application", errorCode: bigint, reason?: string) {
  const error = Object.assign(new Error(`QUIC ${type} error`), { type, errorCode, reason });
  return quicFailure(new NativeFailures("connect 192.0.2.1:4433"), error);
}

test("quicFailure() knows the transport errors of RFC 9000", () => {
  const kinds = new Map([
    [0x0n, "closed-by-peer"],
    [0x1n, "reset"],
    [0x2n, "refused"],
    [0x3n, "protocol"],
    [0xan, "protocol"],
    [0x10n, "unreachable"],
    [0x128n, "tls"], // handshake_failure
    [0x12an, "tls"], // bad_certificate
    [0x178n, "protocol"], // no_application_protocol
    [0x1ffn, "tls"],
    [0x200n, "protocol"],
    [2n ** 62n - 1n, "protocol"],
  ]);
  for (const [code, kind] of kinds) {
    assert.equal(failureOf("transport", code).kind, kind, `0x${code.toString(16)}`);
  }
  assert.equal(
    failureOf("transport", 0x2n, "too many").detail,
    "QUIC CONNECTION_REFUSED (too many) connect 192.0.2.1:4433",
  );
});

test("quicFailure() tells a handshake that timed out from one that failed", () => {
  assert.equal(failureOf("transport", 0x128n, "handshake timed out").kind, "timeout");
  assert.equal(failureOf("transport", 0x128n, "handshake failed").kind, "tls");
});

test("quicFailure() takes a server's impatience for an idle timeout", () => {
  const reason = "connection timed out due to lack of progress";
  assert.equal(failureOf("transport", 0xcn, reason).kind, "idle");
  assert.equal(failureOf("transport", 0xcn).kind, "protocol");
});

test("quicFailure() takes an application's code 0 as an orderly end", () => {
  assert.equal(failureOf("application", 0n).kind, "closed-by-peer");
  assert.equal(failureOf("application", 7n, "bye").kind, "reset");
});

test("quicFailure() says in one line what the peer wrote", () => {
  const { detail } = failureOf("application", 7n, `a\nb\u001b[31m${"x".repeat(5000)}`);
  assert.match(detail, /^[ -~]{1,200}$/);
});
