import { test } from "bun:test";
import assert from "node:assert/strict";
import { schemes } from "../../lib/transport/endpoint.ts";
import { transports } from "../../lib/transport/registry.ts";

test("transports has a row for each scheme, and nothing else", () => {
  assert.deepEqual(Object.keys(transports).sort(), [...schemes].sort());
  for (const scheme of schemes) {
    assert.equal(transports[scheme].scheme, scheme);
    assert.equal(typeof transports[scheme].listen, "function");
    assert.equal(typeof transports[scheme].dial, "function");
  }
});
