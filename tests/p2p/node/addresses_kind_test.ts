import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import { multiaddresses } from "../../../lib/p2p/node/addresses_kind.ts";

test("multiaddresses are separated by commas", () => {
  const two = "/ip4/10.0.0.5/tcp/10000,/dns4/node-1/tcp/10000/p2p/12D3KooW";
  assert.deepEqual(multiaddresses.parse(two), two.split(","));
  assert.equal(multiaddresses.format(multiaddresses.parse(two)), two);
  assert.deepEqual(multiaddresses.parse(" /ip4/10.0.0.5/tcp/1 , "), ["/ip4/10.0.0.5/tcp/1"]);
  for (const text of ["", ",", "10.0.0.5:10000", "/ip4/1.2.3.4/tcp/1,x", "/", "/ip4/"]) {
    assert.throws(() => multiaddresses.parse(text), UsageError, text);
  }
});
