import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitCodes } from "../../../lib/errors.ts";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { makeCertificate } from "../../../lib/transport/certificates.ts";
import { backendRows } from "../../../lib/wamp/backend/options.ts";
import { run as runBackend } from "../../../lib/wamp/backend/run.ts";
import { SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { CollectedIo } from "../../cli/collected_io.ts";
import { until, withRouter } from "../router/local_router.ts";
import { assertComplete, probe } from "./probe_run.ts";

const seed = Buffer.from(Array.from({ length: 32 }, (_, index) => index + 1)).toString("hex");
const { publicKey } = new SigningKey(Buffer.from(seed, "hex"));
/** Nobody gets in without a key. */
const closed = {
  anonymousRole: undefined,
  principals: [{ authid: "joe", publicKey, roles: ["anonymous"] }],
};
const certificate = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
const folder = mkdtempSync(join(tmpdir(), "holdfast-access-"));
const write = (name: string, content: string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const keyFile = write("key", `${seed}\n`);
const caFile = write("ca.pem", certificate.ca);
afterAll(() => rmSync(folder, { recursive: true }));

test("wamp probe and wamp backend log in with a key, which shows nowhere", async () => {
  await withRouter(async ({ ws, rs, router }) => {
    const stop = new AbortController();
    const io = new CollectedIo();
    const line = commandLineOf(backendRows, [], { urls: [rs], signingKey: keyFile, nodes: 1 });
    const backend = runBackend(line, io, stop.signal);
    try {
      await until(() => io.noteLines.some((each) => each.startsWith("registered")));
      const outcome = await probe({
        urls: [ws],
        clients: 2,
        connections: 2,
        calls: true,
        nodes: 1,
        signingKey: seed,
        authid: "joe",
      });
      assert.equal(outcome.exitCode, exitCodes.ok, outcome.io.outLines.join("\n"));
      assertComplete(outcome, 4);
      const { calls, publications, run } = outcome.snapshot;
      assert.equal(calls.answered, publications.sent);
      assert.deepEqual([run.settings["key"], run.settings["authid"]], ["(not shown)", "joe"]);
      assert.equal(line.rendered["key"], keyFile);
      const said = [...outcome.io.outLines, ...outcome.io.noteLines, ...io.noteLines];
      assert.ok(!JSON.stringify([outcome.snapshot, said]).includes(seed.slice(0, 16)));
      assert.equal(router.counters.sessionsAborted, 0);
    } finally {
      stop.abort();
    }
    assert.equal(await backend, exitCodes.ok);
  }, closed);
}, 30_000);

test("wamp probe says why it is not let in, with the public key", async () => {
  await withRouter(async ({ ws }) => {
    const reasonOf = async (changes: Parameters<typeof probe>[0]) => {
      const { exitCode, snapshot } = await probe({ urls: [ws], ...changes });
      assert.equal(exitCode, exitCodes.targetUnreachable);
      return snapshot.verdict!.reasons[0]!;
    };
    assert.match(await reasonOf({}), /no_matching_auth_method/);
    const stranger = "77".repeat(32);
    const { publicKey: other } = new SigningKey(Buffer.from(stranger, "hex"));
    const refused = await reasonOf({ signingKey: stranger, authid: "joe" });
    assert.match(refused, new RegExp(`authentication_failed.*authid joe, public key ${other}`));
    assert.match(await reasonOf({ signingKey: keyFile, authid: "jim" }), /authid jim/);
  }, closed);
});

for (const scheme of ["wss", "rss"] as const) {
  test(`wamp probe verifies the router of ${scheme}:// by --ca, or takes any`, async () => {
    await withRouter(
      async (local) => {
        const urls = [local[scheme]];
        for (const trust of [{ caFile }, { insecure: true, signingKey: keyFile }]) {
          const outcome = await probe({ urls, ...trust });
          assert.equal(outcome.exitCode, exitCodes.ok, outcome.io.outLines.join("\n"));
          assertComplete(outcome, 4);
        }
        const { exitCode, snapshot } = await probe({ urls });
        assert.equal(exitCode, exitCodes.targetUnreachable);
        assert.equal(snapshot.sessions.failures[0]!.kind, "tls");
        assert.deepEqual(local.notes, []);
      },
      { principals: closed.principals },
      { certificate },
    );
  });
}

test("wamp probe takes options of TLS only where there is some", async () => {
  const run = (changes: Parameters<typeof probe>[0]) =>
    probe({ urls: ["ws://localhost:1"], ...changes });
  await assert.rejects(run({ insecure: true }), /--insecure applies to wss or rss endpoints/);
  await assert.rejects(run({ caFile }), /--ca applies to wss or rss endpoints/);
  const none = join(folder, "none");
  await assert.rejects(run({ signingKey: none }), /cannot read the key of --key, .*none/);
  await assert.rejects(
    run({ urls: ["wss://localhost:1"], caFile: keyFile }),
    /--ca .*key: the authority is not PEM/,
  );
});
