import assert from "node:assert/strict";
import { exitCodes } from "../../lib/errors.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { backendRows } from "../../lib/wamp/backend/options.ts";
import { run as runBackend } from "../../lib/wamp/backend/run.ts";
import { CollectedIo } from "../cli/collected_io.ts";
import { testWith } from "../programs.ts";
import { until } from "../wamp/router/local_router.ts";
import { assertComplete, probe } from "../wamp/probe/probe_run.ts";
import { joesKey, withCrossbar } from "./crossbar_node.ts";

const forms = [
  { serializer: "cbor", batched: false, isRaw: false },
  { serializer: "msgpack", batched: false, isRaw: false },
  { serializer: "json", batched: false, isRaw: false },
  { serializer: "cbor", batched: true, isRaw: false },
  { serializer: "msgpack", batched: true, isRaw: false },
  { serializer: "cbor", batched: false, isRaw: true },
  { serializer: "msgpack", batched: false, isRaw: true },
  { serializer: "json", batched: false, isRaw: true },
] as const;

testWith(["crossbar"])(
  "Crossbar as the router of wamp probe and wamp backend, in every form",
  async () => {
    await withCrossbar(async ({ ws, rs }) => {
      const stop = new AbortController();
      const io = new CollectedIo();
      const line = commandLineOf(backendRows, [], { urls: [ws], serializer: "msgpack", nodes: 2 });
      const backend = runBackend(line, io, stop.signal);
      await until(() => io.noteLines.some((each) => each.startsWith("registered")), 10_000);
      for (const { serializer, batched, isRaw } of forms) {
        const outcome = await probe({
          urls: [isRaw ? rs : ws],
          connections: 3,
          serializer,
          batched,
          calls: true,
          nodes: 2,
          stride: 2,
          timeoutMs: 10_000,
        });
        const text = `${serializer} ${batched} ${isRaw}: ${outcome.io.outLines.join("\n")}`;
        assert.equal(outcome.exitCode, exitCodes.ok, text);
        assertComplete(outcome, 3);
        assert.equal(outcome.snapshot.calls.answered, outcome.snapshot.publications.sent * 2, text);
      }
      const login = { urls: [ws], authid: "joe" };
      const welcome = await probe({ ...login, signingKey: joesKey });
      assert.equal(welcome.exitCode, exitCodes.ok, welcome.io.outLines.join("\n"));
      assertComplete(welcome, 4);
      const refused = await probe({ ...login, signingKey: "08".repeat(32) });
      assert.equal(refused.exitCode, exitCodes.targetUnreachable);
      assert.match(refused.snapshot.verdict!.reasons[0]!, /ABORT .*public key/);
      stop.abort();
      assert.equal(await backend, exitCodes.ok);
    });
  },
  120_000,
);
