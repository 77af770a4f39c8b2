import { test } from "bun:test";
import assert from "node:assert/strict";
import { failureKinds } from "../../lib/stats/failure.ts";
import { codeOf, kindOfError, NativeFailures } from "../../lib/transport/native_failure.ts";

const withCode = (code: string, message = "it failed") =>
  Object.assign(new Error(message), { code });

test("kindOfError() knows the errors of the system", () => {
  const expected = {
    ECONNREFUSED: "refused",
    ECONNRESET: "reset",
    EPIPE: "reset",
    ETIMEDOUT: "timeout",
    ENOTFOUND: "dns",
    EHOSTUNREACH: "unreachable",
    ENETUNREACH: "unreachable",
    EMFILE: "host-fds",
    ENFILE: "host-fds",
    EADDRNOTAVAIL: "host-ports",
    EADDRINUSE: "host-ports",
    ENOMEM: "host-memory",
    ENOBUFS: "host-memory",
    EPROTO: "tls",
    ERR_SSL_WRONG_VERSION_NUMBER: "tls",
  };
  for (const [code, kind] of Object.entries(expected)) {
    assert.equal(kindOfError(withCode(code), "protocol"), kind, code);
  }
  assert.equal(kindOfError(withCode("ESOMETHING"), "protocol"), "protocol");
});

test("kindOfError() takes anything that can be thrown", () => {
  const thrown = [undefined, null, 7, "text", {}, { code: 5 }, { code: null }, new Error(""), []];
  for (const value of thrown) {
    assert.equal(kindOfError(value, "reset"), "reset");
    assert.equal(codeOf(value), "");
    const failure = new NativeFailures("connect 127.0.0.1:1").of(value, "reset");
    assert.ok(failureKinds.includes(failure.kind));
    assert.match(failure.detail, /connect 127\.0\.0\.1:1$/);
  }
});

test("NativeFailures.of() makes one object for each code", () => {
  const failures = new NativeFailures("connect 127.0.0.1:1");
  const first = failures.of(withCode("ECONNREFUSED", "one"), "reset");
  assert.deepEqual(first, { kind: "refused", detail: "ECONNREFUSED connect 127.0.0.1:1" });
  assert.equal(failures.of(withCode("ECONNREFUSED", "another"), "reset"), first);
  assert.notEqual(failures.of(withCode("ECONNRESET"), "reset"), first);
});

test("NativeFailures.of() tells what a TLS library said, in one line", () => {
  const failures = new NativeFailures("127.0.0.1:1");
  const { kind, detail } = failures.of(withCode("EPROTO", "WRONG_VERSION_NUMBER\nmore"), "reset");
  assert.equal(kind, "tls");
  assert.equal(detail, "EPROTO: WRONG_VERSION_NUMBER 127.0.0.1:1");
});

test("NativeFailures keeps a bounded number of texts", () => {
  const failures = new NativeFailures("x");
  for (let index = 0; index < 5000; index++) {
    assert.equal(failures.named(`text ${index}`, "protocol").detail, `text ${index} x`);
  }
});
