import { test } from "bun:test";
import assert from "node:assert/strict";
import { nodeEnvironment } from "../../../lib/p2p/local/node_environment.ts";

test("nodeEnvironment() keeps what there is, and what the user says of the compiler", () => {
  const own = { PATH: "/bin", UNSET: undefined };
  assert.deepEqual(nodeEnvironment(own), { ...own, BUN_JSC_useFTLJIT: "0" });
  assert.equal(nodeEnvironment({ BUN_JSC_useFTLJIT: "1" })["BUN_JSC_useFTLJIT"], "1");
});
