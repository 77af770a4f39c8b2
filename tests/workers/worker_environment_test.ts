import { test } from "bun:test";
import assert from "node:assert/strict";
import { workerEnvironment } from "../../lib/workers/worker_environment.ts";

const own = { PATH: "/bin", UNSET: undefined };

const quiet = {
  BUN_JSC_useFTLJIT: "0",
  BUN_GC_TIMER_DISABLE: "1",
  MIMALLOC_PURGE_DELAY: "-1",
};

test("workerEnvironment() leaves what an engine does by itself to one process a core", () => {
  assert.deepEqual(workerEnvironment(own, 2, 2), own);
  assert.deepEqual(workerEnvironment(own, 3, 2), { ...own, ...quiet });
});

test("workerEnvironment() keeps what the user says of the engine", () => {
  const asked = { BUN_JSC_useFTLJIT: "1", MIMALLOC_PURGE_DELAY: "10" };
  assert.deepEqual(workerEnvironment(asked, 8, 2), { ...quiet, ...asked });
  assert.equal(workerEnvironment(undefined, 8, 2), undefined);
});
