import { test } from "bun:test";
import assert from "node:assert/strict";
import { workerEnvironment } from "../../lib/workers/worker_environment.ts";

const own = { PATH: "/bin", UNSET: undefined };

test("workerEnvironment() leaves the last tier of the compiler to one process a core", () => {
  assert.deepEqual(workerEnvironment(own, 2, 2), own);
  assert.deepEqual(workerEnvironment(own, 3, 2), { ...own, BUN_JSC_useFTLJIT: "0" });
});

test("workerEnvironment() keeps what the user says of the compiler", () => {
  const asked = { BUN_JSC_useFTLJIT: "1" };
  assert.deepEqual(workerEnvironment(asked, 8, 2), asked);
});
