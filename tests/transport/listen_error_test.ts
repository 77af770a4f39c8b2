import { test } from "bun:test";
import assert from "node:assert/strict";
import { HostLimitError } from "../../lib/errors.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import { listenError } from "../../lib/transport/listen_error.ts";
import { tcp } from "../../lib/transport/tcp.ts";
import { udp } from "../../lib/transport/udp.ts";
import { listenSettings, Recorder } from "./recorder.ts";

const endpoint: Endpoint = { scheme: "tcp", host: "", port: 80, lastPort: 80, path: "/" };

test("listenError() says what to do about each cause, in one line", () => {
  const cases: [string, RegExp][] = [
    ["EADDRINUSE", /port 80 is in use/],
    ["EACCES", /may not bind port 80.*above 1023/],
    ["EMFILE", /descriptor/],
    ["ESOMETHING", /it failed/],
  ];
  for (const [code, pattern] of cases) {
    const cause = Object.assign(new Error("it failed\nbadly"), { code });
    const error = listenError(endpoint, cause);
    assert.ok(error instanceof HostLimitError);
    assert.match(error.message, pattern);
    assert.ok(error.message.startsWith("cannot listen on tcp://:80: "));
    assert.ok(!error.message.includes("\n"));
    assert.equal(error.cause, cause);
  }
});

for (const transport of [tcp, udp]) {
  test(`${transport.scheme}.listen() names an address that is not this host's`, async () => {
    const { scheme } = transport;
    const elsewhere = { ...endpoint, scheme, host: "192.0.2.77", port: 0, lastPort: 0 }; // RFC 5737
    await assert.rejects(
      transport.listen(elsewhere, new Recorder("listener"), listenSettings([])),
      (error) => error instanceof HostLimitError && /192\.0\.2\.77 is not an/.test(error.message),
    );
    const unknown = { ...elsewhere, host: "holdfast-test.invalid" };
    await assert.rejects(
      transport.listen(unknown, new Recorder("listener"), listenSettings([])),
      (error) => error instanceof HostLimitError && error.message.includes("holdfast-test.invalid"),
    );
  });
}
