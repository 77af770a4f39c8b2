import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  parseAnonymous,
  parseOwnThreads,
  parseProcessLimit,
  parseThreadTotal,
  readProcessLimits,
} from "../../lib/host/process_limits.ts";
import { brokenTexts, isCount } from "./broken_text.ts";

const limits = `Limit                     Soft Limit           Hard Limit           Units     
Max resident set          unlimited            unlimited            bytes     
Max processes             96365                unlimited            processes 
Max open files            20000                20000                files     
`;
const loadavg = "0.47 0.76 0.62 1/111 14380\n";
const status = "RssAnon:\t   14400 kB\nVmSwap:\t       0 kB\nThreads:\t7\nSigQ:\t0/96365\n";

test("the parsers of processes find their lines", () => {
  assert.deepEqual(parseProcessLimit(limits), { soft: 96365, hard: Infinity });
  assert.equal(parseThreadTotal(loadavg), 111);
  assert.equal(parseOwnThreads(status), 7);
  assert.equal(parseAnonymous(status), 14400 * 1024);
});

test("the parsers of processes take truncated and random text without error", () => {
  for (const whole of [limits, loadavg, status]) {
    for (const text of brokenTexts(whole)) {
      const limit = parseProcessLimit(text);
      for (
        const value of [
          ...[limit?.soft, limit?.hard, parseThreadTotal(text)],
          ...[parseOwnThreads(text), parseAnonymous(text)],
        ]
      ) {
        assert.ok(isCount(value), text);
      }
    }
  }
});

test("readProcessLimits() knows this process", () => {
  if (process.platform !== "linux") return;
  const { ownThreads, threads, threadsMax, userLimit } = readProcessLimits();
  assert.ok(ownThreads! >= 1 && threads! >= ownThreads! && threadsMax! >= threads!);
  const ulimit = Bun.spawnSync(["/bin/bash", "-c", "ulimit -u"]).stdout.toString().trim();
  assert.equal(userLimit === Infinity ? "unlimited" : String(userLimit), ulimit);
});
