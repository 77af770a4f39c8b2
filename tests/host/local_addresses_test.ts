import { test } from "bun:test";
import assert from "node:assert/strict";
import { interfaceAddresses, isLocalAddress } from "../../lib/host/local_addresses.ts";

test("isLocalAddress() tells this host's addresses from others", () => {
  assert.ok(isLocalAddress("127.0.0.1"));
  assert.ok(isLocalAddress("::1"));
  assert.ok(isLocalAddress("0.0.0.0"));
  // Documentation addresses, RFC 5737 and RFC 3849.
  assert.ok(!isLocalAddress("192.0.2.1"));
  assert.ok(!isLocalAddress("2001:db8::1"));
  if (process.platform === "linux") assert.ok(isLocalAddress("127.200.3.4"));
});

test("interfaceAddresses() has addresses that can be bound, loopback last", () => {
  const four = interfaceAddresses(false);
  assert.equal(four.at(-1), "127.0.0.1");
  for (const address of four) assert.ok(isLocalAddress(address), address);
  for (const address of interfaceAddresses(true)) assert.ok(address.includes(":"), address);
});
