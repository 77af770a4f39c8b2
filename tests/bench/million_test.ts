import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArguments, processesFor, usage } from "../../bench/million/arguments.ts";
import { sourcesOf } from "../../bench/million/beyond.ts";
import { growthOf, parseSlabs, parseSockstat } from "../../bench/million/kernel_memory.ts";
import { leastMemory, processTree, treeMemory } from "../../bench/million/process_tree.ts";
import { requirementsFor, Sysctls } from "../../bench/million/sysctls.ts";
import { UsageError } from "../../lib/errors.ts";
import { NetworkNamespace } from "../end_to_end/network_namespace.ts";
import { testWith } from "../programs.ts";

const root = join(import.meta.dir, "../..");
const program = join(root, "bench/million/run.ts");

class Directory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "holdfast-million-test-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

test("parseArguments() has the million as its default, and says what it does not know", () => {
  const settings = parseArguments([]);
  assert.equal(settings.connections, 1_000_000);
  assert.deepEqual([settings.holdMs, settings.intervalMs, settings.fdLimit], [
    120_000,
    60_000,
    20_000,
  ]);
  assert.equal(settings.workers, 53);
  assert.ok(settings.connections / settings.workers < settings.fdLimit - 1000, "room on each side");
  const given = parseArguments(["--connections=50k", "--hold", "3s", "--beyond", "--apply"]);
  assert.deepEqual([given.connections, given.holdMs, given.isBeyond, given.isApplying], [
    ...[50_000, 3000, true, true],
  ]);
  assert.equal(given.workers, processesFor(50_000));
  for (const args of [["--nothing"], ["x"], ["--hold", "3"], ["--connections"], ["--most", "5"]]) {
    assert.throws(() => parseArguments(args), UsageError, args.join(" "));
  }
  assert.match(usage(), /--hold <d>/);
});

test("Sysctls raises what is short, and puts it back", () => {
  using directory = new Directory();
  const limits = {
    "fs/file-max": "1000\n",
    "net/ipv4/tcp_mem": "10\t20\t900000\n",
    "fs/nr_open": "9",
  };
  for (const [path, text] of Object.entries(limits)) {
    mkdirSync(join(directory.path, path, ".."), { recursive: true });
    writeFileSync(join(directory.path, path), text);
  }
  const read = (path: string) => readFileSync(join(directory.path, path), "utf8").trim();
  const undo = join(directory.path, "undo.sh");
  const sysctls = new Sysctls(undo, directory.path);
  const needed = [
    { name: "fs.file-max", least: [5000], why: "files", isRequired: true },
    { name: "net.ipv4.tcp_mem", least: [50, 60, 70], why: "pages", isRequired: false },
    { name: "fs.nr_open", least: [9], why: "enough", isRequired: true },
    { name: "net.unknown", least: [1], why: "not of this kernel", isRequired: true },
  ];
  const shortages = sysctls.shortages(needed);
  assert.deepEqual(shortages.map(({ name }) => name), ["fs.file-max", "net.ipv4.tcp_mem"]);
  assert.deepEqual(sysctls.commandsFor(shortages), [
    'sysctl -w fs.file-max="5000"   # was 1000: files',
    'sysctl -w net.ipv4.tcp_mem="50 60 900000"   # was 10 20 900000: pages',
  ]);
  sysctls.raise(shortages);
  assert.deepEqual([read("fs/file-max"), read("net/ipv4/tcp_mem")], ["5000", "50 60 900000"]);
  assert.match(
    readFileSync(undo, "utf8"),
    /^#!\/bin\/sh\nsysctl -w net\.ipv4\.tcp_mem="10\t20\t900000"\n/,
  );
  sysctls.restore();
  assert.deepEqual([read("fs/file-max"), read("net/ipv4/tcp_mem")], ["1000", "10\t20\t900000"]);
  assert.ok(!existsSync(undo));
  sysctls.restore();

  // Half way through: a directory cannot be written as a file.
  mkdirSync(join(directory.path, "kernel/broken"), { recursive: true });
  const broken = { name: "kernel.broken", least: [1], current: [0], why: "", isRequired: true };
  assert.throws(() => sysctls.raise([...shortages, broken]), /cannot set sysctls/);
  assert.equal(read("fs/file-max"), "1000");
  assert.ok(!existsSync(undo));
});

test("requirementsFor() grows with the connections", () => {
  const leastOf = (connections: number, name: string, isTracked = false) =>
    requirementsFor(connections, 106, isTracked).find((each) => each.name === name)?.least[0];
  assert.ok(leastOf(1_000_000, "fs.file-max")! > 2_000_000);
  assert.ok(leastOf(1_500_000, "fs.file-max")! > 3_000_000);
  assert.equal(leastOf(1_000_000, "net.netfilter.nf_conntrack_max"), undefined);
  assert.ok(leastOf(1_000_000, "net.netfilter.nf_conntrack_max", true)! > 1_000_000);
});

const slabinfo = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
TCP                 5356   5356   2368   13    8 : tunables    0    0    0 : slabdata    412    412      0
filp                6174   6174    192   21    1 : tunables    0    0    0 : slabdata    294    295      0
proc_inode_cache      10     10    700   23    4 : tunables    0    0    0 : slabdata      9      9      0
`;

test("growthOf() is what the slabs and buffers have taken", () => {
  const slabs = parseSlabs(slabinfo);
  assert.deepEqual([...slabs], [
    ["TCP", 412 * 8 * 4096],
    ["filp", 295 * 4096],
    ["proc_inode_cache", 9 * 4 * 4096],
  ]);
  const buffers = parseSockstat("sockets: used 9\nTCP: inuse 7 orphan 0 tw 2 alloc 8 mem 3\n");
  assert.deepEqual(buffers, { tcpSockets: 7, tcpBufferBytes: 3 * 4096 });
  const before = {
    slabs: new Map([["filp", 4096]]),
    ...buffers,
    availableBytes: 9e9,
    freeBytes: 0,
  };
  const growth = growthOf(before, { ...before, slabs, tcpBufferBytes: 0, availableBytes: 8e9 });
  assert.equal(growth.slabBytes, (412 * 8 + 294) * 4096);
  assert.deepEqual(growth.largest.map(({ name }) => name), ["TCP", "filp"]);
  assert.deepEqual([growth.tcpBufferBytes, growth.availableBytes], [-3 * 4096, 1e9]);
  assert.ok(Number.isNaN(growthOf(before, { ...before, slabs: new Map() }).slabBytes));
});

test.if(process.platform === "linux")("processTree() has children and theirs", async () => {
  const child = Bun.spawn(["sh", "-c", "sleep 30 & sleep 30 & wait"], { stdout: "ignore" });
  try {
    let tree: number[] = [];
    for (let i = 0; i < 200 && tree.length < 3; i++) {
      await Bun.sleep(10);
      tree = processTree(child.pid);
    }
    assert.equal(tree.length, 3);
    assert.ok(tree.includes(child.pid));
    const memory = treeMemory(tree);
    assert.equal(memory.processes, 3);
    assert.ok(memory.rssBytes >= memory.proportionalBytes);
    assert.ok(memory.proportionalBytes > 0 && memory.mostFds >= 1);
    assert.equal(treeMemory([]).rssBytes, 0);
    const twice = leastMemory([memory, { ...memory, rssBytes: 1 }]);
    assert.deepEqual(twice, { ...memory, rssBytes: 1 });
    for (const pid of tree) process.kill(pid, "SIGKILL");
  } finally {
    child.kill("SIGKILL");
  }
});

test("sourcesOf() gives each step addresses of its own", () => {
  assert.equal(sourcesOf(1, 28_000), "127.2.0.1");
  assert.equal(sourcesOf(2, 100_000), "127.3.0.1,127.3.0.2,127.3.0.3,127.3.0.4");
});

/** What runs in place of the compiled executable. */
function fromSource(directory: string): Record<string, string | undefined> {
  const path = join(directory, "holdfast");
  const command = `exec ${process.execPath} --no-warnings ${join(root, "mod.ts")} "$@"`;
  writeFileSync(path, `#!/bin/sh\n${command}\n`);
  chmodSync(path, 0o755);
  return { ...process.env, HOLDFAST_BENCH_EXECUTABLE: path };
}

/** Ends what is left of a benchmark; killed alone it would leave its servers and clients. */
function killTree(root: number): void {
  for (const pid of processTree(root)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

const inSmall = ["--workers", "2", "--rest", "500ms", "--interval", "1s"];

test.if(process.platform === "linux")(
  "a small copy of the million opens, holds and goes beyond",
  async () => {
    using directory = new Directory();
    const child = Bun.spawn(
      [
        ...[process.execPath, program, "--connections", "400", "--hold", "3s", ...inSmall],
        ...["--beyond", "--most", "440", "--fds", "2000"],
      ],
      {
        env: fromSource(directory.path),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 80_000,
        killSignal: "SIGTERM", // which it passes on
      },
    );
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    assert.equal(await child.exited, 0, out + err);
    assert.match(out, /^connections open +400 +400 +100 % +400 +met$/m);
    assert.match(out, /^messages lost +0 +0 +met$/m);
    assert.match(out, /^wrong answers +0 +0 +met$/m);
    assert.match(out, /^server: heap and stacks +\d+ .* fds$/m);
    assert.match(out, /^beyond: 440 were open together; then: no further step/m);
  },
  90_000,
);

testWith(process.getuid?.() === 0 ? ["ip"] : ["ip", "root"])(
  "a million that is ended early puts the kernel's limits back",
  async () => {
    using network = NetworkNamespace.make();
    assert.ok(network !== undefined, "root can make network namespaces");
    using directory = new Directory();
    const somaxconn = () =>
      Number(Bun.spawnSync([...network.command, "cat", "/proc/sys/net/core/somaxconn"]).stdout);
    const before = somaxconn();
    assert.ok(before < 16_384, `${before}`);
    const child = Bun.spawn(
      [
        ...[...network.command, process.execPath, program, "--apply"],
        ...["--connections", "100", "--hold", "60s", ...inSmall],
      ],
      {
        env: fromSource(directory.path),
        stdin: "ignore",
        stdout: "pipe",
        timeout: 60_000,
        killSignal: "SIGTERM", // which it passes on
      },
    );
    try {
      let out = "";
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        out += decoder.decode(chunk, { stream: true });
        if (/ -c 100 /.test(out)) break;
      }
      assert.match(out, /sysctl -w net\.core\.somaxconn="16384" {3}# was \d+: /);
      assert.equal(somaxconn(), 16_384);
      const [, undo = ""] = /should this be killed: (\S+)\)/.exec(out) ?? [];
      assert.ok(existsSync(undo), out);
      const tree = processTree(child.pid);
      assert.ok(tree.length >= 1 + 3 + 1, `${tree.length} processes`);
      child.kill("SIGTERM");
      assert.equal(await child.exited, 143, out);
      assert.equal(somaxconn(), before);
      assert.ok(!existsSync(undo));
      const living = () => tree.filter((pid) => existsSync(`/proc/${pid}`));
      for (let i = 0; i < 500 && living().length > 0; i++) await Bun.sleep(10);
      assert.deepEqual(living(), [], "every process has ended");
    } finally {
      killTree(child.pid);
    }
  },
  70_000,
);
