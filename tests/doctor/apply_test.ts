import { test } from "bun:test";
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { readControlGroup } from "../../lib/host/control_group.ts";
import { holdfast } from "../end_to_end/command_line.ts";
import { Directory } from "../interop/program.ts";
import { testWith } from "../programs.ts";
import { hostAddress, SmallHost } from "./small_host.ts";

const isRoot = process.getuid?.() === 0;
const testOnHost = isRoot ? testWith(["ip", "sysctl"]) : test.skip;

const tight = {
  "net.ipv4.ip_local_port_range": "20000 20999",
  "net.ipv4.tcp_tw_reuse": "0",
  "net.ipv4.tcp_max_syn_backlog": "64",
  "net.ipv4.tcp_syncookies": "0",
  "net.core.somaxconn": "100",
};
const wide = {
  "net.ipv4.ip_local_port_range": "1024 65535",
  "net.ipv4.tcp_tw_reuse": "1",
  "net.ipv4.tcp_max_syn_backlog": "4096",
  "net.ipv4.tcp_syncookies": "1",
  "net.core.somaxconn": "4096",
};
const question = ["--target", `tcp://${hostAddress}:4242`, "-c", "50000", "--workers", "60"];

async function settingsOf(host: SmallHost): Promise<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const name of Object.keys(tight)) settings[name] = await host.sysctl(name);
  return settings;
}

testOnHost("--apply sets what is short; what it prints undoes it", async () => {
  await using host = (await SmallHost.make(tight))!;
  assert.equal((await host.diagnose(question)).fits, false);
  const text = await host.run([...holdfast, "doctor", ...question, "--apply"]);
  assert.match(text, /^ip_local_port_range +1024-65535, .* 64,\d+ +pass$/m);
  assert.deepEqual(await settingsOf(host), wide);
  for (const [name, value] of Object.entries(tight)) {
    const change = `${name}: ${value} -> ${wide[name as keyof typeof wide]}`;
    assert.ok(text.includes(`  ${change}\n`), `${change} in ${text}`);
  }
  const undo = /^To undo it:\n((?: {2}.*\n?)+)/m.exec(text)?.[1] ?? "";
  await host.run(["sh", "-e"], undo);
  assert.deepEqual(await settingsOf(host), tight);

  const again = await host.run([...holdfast, "doctor", ...question, "--apply"]);
  assert.match(again, /^Changed:$/m);
  const third = await host.run([...holdfast, "doctor", ...question, "--apply"]);
  assert.match(third, /^Nothing was changed\.$/m);
}, 60_000);

testOnHost("--script is a script that a shell accepts, and that does the same", async () => {
  await using host = (await SmallHost.make(tight))!;
  using directory = new Directory();
  const program = host.start([...holdfast, "doctor", ...question, "--script"]);
  assert.equal(await program.ended(), 5, "the host is still too small");
  const script = await directory.write("limits.sh", program.text);
  await host.run(["sh", "-n", script]);
  await host.run(["sh", script]);
  assert.deepEqual(await settingsOf(host), wide);
  assert.equal((await host.diagnose(question)).fits, true);
  const undo = [...program.text.matchAll(/^# undo: (.*)$/gm)].map(([, command]) => command);
  await host.run(["sh", "-e"], undo.join("\n"));
  assert.deepEqual(await settingsOf(host), tight);

  await host.set(wide);
  const enough = await host.run([...holdfast, "doctor", "-c", "5", "--script"]);
  assert.match(enough, /^# Nothing is short\.$/m);
  await host.run(["sh", "-c", enough]);
}, 60_000);

testOnHost("--apply says what the host refuses, and goes on", async () => {
  await using host = (await SmallHost.make(tight))!;
  // A setting of the whole host, which a namespace shows and does not let change.
  const many = ["--target", `tcp://${hostAddress}:4242`, "-c", "2000000", "--workers", "60"];
  const program = host.start([...holdfast, "doctor", ...many, "--apply"]);
  assert.equal(await program.ended(), 5, program.text);
  assert.match(program.text, /^Left to do:\n(?: {2}.*\n)* {2}ulimit -n \d+ holds for a shell/m);
  assert.match(program.text, /give the client \d+ addresses of this host: --source/);
  assert.equal(await host.sysctl("net.core.somaxconn"), "4096");
}, 60_000);

/** A control group of this test's own, below that of this process, with a limit in it. */
class Group implements Disposable {
  private constructor(readonly path: string) {}

  /** @returns undefined where none can be made here. */
  static make(controller: "memory" | "pids", file: string, limit: number): Group | undefined {
    const own = /^\d+:([^:]*):(\/.*)$/gm;
    for (
      const [, controllers = "", path = ""] of readFileSync("/proc/self/cgroup", "utf8").matchAll(
        own,
      )
    ) {
      if (controllers.split(",").includes(controller)) {
        return Group.#in(join("/sys/fs/cgroup", controller, path), file, limit);
      }
    }
    return undefined;
  }

  static #in(parent: string, file: string, limit: number): Group | undefined {
    const path = join(parent, `holdfast-test-${process.pid}`);
    try {
      mkdirSync(path);
    } catch {
      return undefined;
    }
    const group = new Group(path);
    if (!existsSync(join(path, file))) {
      group[Symbol.dispose]();
      return undefined;
    }
    writeFileSync(join(path, file), String(limit));
    return group;
  }

  /** Runs a command in it. */
  run(command: readonly string[]): { code: number; text: string } {
    const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    const child = Bun.spawnSync(["sh", "-c", enter, this.path, ...command]);
    return { code: child.exitCode, text: child.stdout.toString() + child.stderr.toString() };
  }

  [Symbol.dispose](): void {
    rmdirSync(this.path);
  }
}

/** Version 1 alone can be tested so: version 2 has no groups below one with processes in it. */
const hasVersion1 = isRoot && existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes");

(hasVersion1 ? test : test.skip)("the limits of a control group are found, and made wider", () => {
  const limit = 500e6;
  using memory = Group.make("memory", "memory.limit_in_bytes", limit);
  using pids = Group.make("pids", "pids.max", 60);
  if (memory === undefined || pids === undefined) return;
  const ask = [...holdfast, "doctor", "-c", "200000", "--role", "server"];
  const before = memory.run(ask);
  assert.equal(before.code, 5);
  const [, value, connections] = /^cgroup memory +(\S+ MB), .* ([\d,]+) +short$/m.exec(
    before.text,
  )!;
  assert.equal(value, "500 MB");
  const most = Number(connections!.replaceAll(",", ""));
  assert.ok(most > 30_000 && most < limit / 5800, connections);
  const applied = memory.run([...ask, "--apply"]);
  assert.match(applied.text, /^cgroup memory .* pass$/m);
  assert.match(applied.text, /memory\.limit_in_bytes: \d+ -> \d+$/m);
  assert.equal(readControlGroup().memory?.path.startsWith(memory.path) ?? false, false);

  const many = ["--role", "server", "-c", "200000", "--workers", "20"];
  const few = pids.run([...holdfast, "doctor", ...many]);
  assert.equal(few.code, 5, few.text);
  assert.match(few.text, /^cgroup pids +60, \d+ used .* short$/m);
  const more = pids.run([...holdfast, "doctor", ...many, "--apply"]);
  assert.equal(more.code, 0, more.text);
});
