import { test } from "bun:test";
import assert from "node:assert/strict";
import { TargetUnreachableError } from "../../lib/errors.ts";
import { hostPort, resolveHost } from "../../lib/transport/resolve.ts";

test("resolveHost() takes addresses as they are", async () => {
  assert.deepEqual(await resolveHost("127.0.0.1"), ["127.0.0.1"]);
  assert.deepEqual(await resolveHost("::1"), ["::1"]);
  assert.deepEqual(await resolveHost("2001:db8::25"), ["2001:db8::25"]);
});

test("resolveHost() has both loopback addresses for localhost", async () => {
  for (const host of ["localhost", "LocalHost", ""]) {
    const addresses = await resolveHost(host);
    assert.deepEqual([...addresses].sort(), ["127.0.0.1", "::1"]);
  }
});

test("resolveHost() names the host that does not resolve, in one line", async () => {
  for (const host of ["holdfast-test.invalid", "-.invalid", "256.256.256.256", "a b.invalid"]) {
    await assert.rejects(resolveHost(host), (error) => {
      assert.ok(error instanceof TargetUnreachableError);
      assert.ok(error.message.includes(host));
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});

test("hostPort() puts IPv6 in brackets", () => {
  assert.equal(hostPort("127.0.0.1", 1), "127.0.0.1:1");
  assert.equal(hostPort("::1", 4242), "[::1]:4242");
});
