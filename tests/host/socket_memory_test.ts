import { test } from "bun:test";
import assert from "node:assert/strict";
import { parseAuxv, parseSockstat, readSocketMemory } from "../../lib/host/socket_memory.ts";
import { parseTimeWait } from "../../lib/host/source_pairs.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { brokenTexts, isCount } from "./broken_text.ts";

const sockstat = `sockets: used 15
TCP: inuse 1 orphan 0 tw 12 alloc 1 mem 209
UDP: inuse 0 mem 216
UDPLITE: inuse 0
RAW: inuse 0
`;

test("parseSockstat() finds the pages of TCP and UDP", () => {
  assert.deepEqual(parseSockstat(sockstat), { tcp: 209, udp: 216 });
  assert.deepEqual(parseSockstat(""), { tcp: undefined, udp: undefined });
  assert.equal(parseTimeWait(sockstat), 12);
  assert.equal(parseTimeWait(""), undefined);
  for (const text of brokenTexts(sockstat)) {
    const { tcp, udp } = parseSockstat(text);
    assert.ok(isCount(tcp) && isCount(udp) && isCount(parseTimeWait(text)), text);
  }
});

test("parseAuxv() finds the page size among pairs of words", () => {
  const auxv = (...words: readonly number[]) =>
    new Uint8Array(new BigUint64Array(words.map(BigInt)).buffer);
  assert.equal(parseAuxv(auxv(33, 140_000, 6, 16_384, 17, 100, 0, 0)), 16_384);
  assert.equal(parseAuxv(auxv(33, 6, 0, 0)), undefined);
  assert.equal(parseAuxv(auxv(6, 3)), undefined);
  const whole = auxv(33, 140_000, 6, 4096, 0, 0);
  for (let end = 0; end <= whole.length; end++) {
    assert.equal(parseAuxv(whole.subarray(0, end)), end < 32 ? undefined : 4096);
  }
  const random = seededRandom(2);
  for (let round = 0; round < 1000; round++) {
    assert.ok(isCount(parseAuxv(Uint8Array.from({ length: 50 }, () => random() * 256))));
  }
});

test("readSocketMemory() agrees with the kernel's own files", async () => {
  const memory = readSocketMemory();
  if (process.platform !== "linux") return assert.equal(memory.tcp, undefined);
  assert.equal(memory.pageBytes, Number(Bun.spawnSync(["getconf", "PAGESIZE"]).stdout.toString()));
  assert.equal(`${memory.rmemMax}\n`, await Bun.file("/proc/sys/net/core/rmem_max").text());
  const { min, pressure, max } = memory.tcp ?? { min: 0, pressure: 1, max: 2 };
  assert.ok(min <= pressure && pressure <= max);
});
