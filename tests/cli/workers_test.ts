import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import type { ClientSnapshot, Snapshot } from "../../lib/stats/snapshot.ts";
import { holdfast } from "../end_to_end/command_line.ts";
import { Directory, Program } from "../interop/program.ts";
import { testWith } from "../programs.ts";
import { ChildServer, until } from "../server/running_server.ts";
import { isAlive } from "../workers/alive.ts";
import { readSnapshot, runClient } from "./client_process.ts";

/** A `holdfast` that leads a process group of its own, as a shell starts it, with its workers. */
async function startGroup(args: readonly string[]) {
  const program = new Program(["setsid", ...holdfast, ...args, "--stats", "127.0.0.1:0"]);
  const [, url] = await program.says(/^statistics on (\S+)$/m);
  const { run, workers } = await (await fetch(`${url}stats`)).json() as Snapshot;
  const pids = workers!.map(({ pid }) => pid);
  assert.ok(pids.every(isAlive));
  return { program, pid: run.pid, pids };
}

const server = ["server", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--workers", "2"];
const client = (target: ChildServer) => [
  ...["client", `tcp://127.0.0.1:${target.portOf("tcp")}`, "-c", "50", "--interval", "50ms"],
  ...["-t", "1m", "--workers", "2"],
];

testWith(["setsid"])("no worker outlives a parent that is killed", async () => {
  await using target = await ChildServer.start(["tcp://127.0.0.1:0"]);
  for (const args of [server, client(target)]) {
    const { program, pid, pids } = await startGroup(args);
    await using _ = program;
    process.kill(pid, "SIGKILL");
    await until(`the workers of ${args[0]} are gone`, () => !pids.some(isAlive));
    await program.ended();
  }
  await target.snapshotWith("their connections are gone", ({ total }) => total.open === 0);
}, 60_000);

testWith(["setsid"])("Ctrl-C reaches the workers too, and all end with one report", async () => {
  await using target = await ChildServer.start(["tcp://127.0.0.1:0"]);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const { program, pid, pids } = await startGroup(server);
    await using _ = program;
    process.kill(-pid, signal);
    assert.equal(await program.ended(), 0, program.text);
    assert.match(program.text, /^workers +2 processes$/m);
    assert.doesNotMatch(program.text, /ended after/);
    assert.ok(!pids.some(isAlive));
  }
  using directory = new Directory();
  const json = `${directory.path}/run.json`;
  const { program, pid, pids } = await startGroup([...client(target), "--json", json]);
  await using _ = program;
  await program.says(/ steady .* back /);
  process.kill(-pid, "SIGINT");
  assert.equal(await program.ended(), 130, program.text);
  const snapshot = await readSnapshot(json);
  assert.ok(snapshot?.interrupted && snapshot.messages.answered > 0);
  assert.equal(snapshot.messages.answered, snapshot.messages.sent);
  assert.deepEqual(snapshot.workers!.map(({ ends }) => ends), [[], []]);
  assert.ok(!pids.some(isAlive));
}, 60_000);

test("holdfast worker is no command for users", async () => {
  await using program = new Program([...holdfast, "worker"]);
  assert.equal(await program.ended(), 2);
  assert.match(program.text, /^holdfast: unknown command 'worker'/);
  await using help = new Program([...holdfast, "--help"]);
  assert.equal(await help.ended(), 0);
  assert.doesNotMatch(help.text, /^ +worker /m);
});

/** `holdfast` whose processes may have 300 descriptors each and cannot raise that, even as root. */
const confined = [
  ...["/bin/sh", "-c", `ulimit -n 300 && exec "$@"`, "sh"],
  ...process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-sys_resource"] : [],
  ...holdfast,
];

testWith(process.getuid?.() === 0 ? ["setpriv"] : [])(
  "workers hold what one process has no descriptors for",
  async () => {
    await using target = await ChildServer.start(["tcp://127.0.0.1:0"]);
    const endpoint = `tcp://127.0.0.1:${target.portOf("tcp")}`;
    const load = [endpoint, "-c", "500", "--connect-rate", "2000", "-t", "200ms"];
    const alone = await runClient(load, { executable: confined });
    assert.equal(alone.exitCode, 5);
    assert.match(alone.err, /or share them among processes with --workers 3\n$/);
    for (const workers of ["3", "auto"]) {
      const { exitCode, err, snapshot } = await runClient([...load, "--workers", workers], {
        executable: confined,
      });
      assert.equal(exitCode, 0, err);
      assert.equal(snapshot!.connections.open, 500);
      assert.equal(snapshot!.workers!.length, 3);
    }
  },
  30_000,
);

test("--start-at: runs of several processes begin at the same instant", async () => {
  await using target = await ChildServer.start(["tcp://127.0.0.1:0"]);
  const endpoint = `tcp://127.0.0.1:${target.portOf("tcp")}`;
  const atMs = Date.now() + 2500;
  const load = [endpoint, "-c", "4", "--interval", "100ms", "-t", "500ms", "--quiet"];
  const at = ["--start-at", new Date(atMs).toISOString()];
  using directory = new Directory();
  const json = (name: string) => `${directory.path}/${name}.json`;
  const programs = ["1", "2"].map((workers) =>
    new Program([
      ...[...holdfast, "client", ...load, ...at, "--stats", "off"],
      ...["--json", json(workers), "--workers", workers],
    ])
  );
  await target.snapshotWith("connections come", ({ total }) => total.accepted > 0);
  assert.ok(Date.now() >= atMs);
  for (const [index, program] of programs.entries()) {
    await program.ended();
    const snapshot = await readSnapshot(json(String(index + 1))) as ClientSnapshot;
    assert.equal(snapshot.connections.opened, 4, program.text);
    assert.equal(snapshot.run.startedAt, new Date(atMs).toISOString());
    // From the instant to the last open: had it begun before or long after, it would show.
    assert.ok(snapshot.connections.openingMs! < 2000, `${snapshot.connections.openingMs}`);
  }

  const past = await runClient([endpoint, "--start-at", "2020-01-01T00:00:00Z"]);
  assert.equal(past.exitCode, 2);
  assert.match(past.err, /^holdfast: --start-at 2020-01-01T00:00:00\.000Z was .* ago; /);
}, 30_000);
