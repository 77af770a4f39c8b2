import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { UsageError } from "../../lib/errors.ts";
import { doctorRows, type DoctorSettings } from "../../lib/doctor/options.ts";
import { judge } from "../../lib/doctor/examination.ts";
import { table } from "../../lib/doctor/table.ts";
import { run } from "../../lib/doctor/run.ts";
import { parseTarget } from "../../lib/doctor/target.ts";
import { fdLimits } from "../../lib/host/libc.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { formatEndpoint } from "../../lib/transport/endpoint.ts";
import { CollectedIo } from "../cli/collected_io.ts";
import { clientQuestion, silentHost } from "../host/sample_readings.ts";
import { holdfast } from "../end_to_end/command_line.ts";
import { Directory } from "../interop/program.ts";
import { testWith } from "../programs.ts";
import type { Diagnosis } from "./small_host.ts";

async function doctor(changes: Partial<DoctorSettings>) {
  const io = new CollectedIo();
  const code = await run(commandLineOf(doctorRows, [], changes), io, new AbortController().signal);
  return { code, lines: io.outLines, text: io.outLines.join("\n") };
}

const onLinux = process.platform === "linux" ? test : test.skip;

onLinux(
  "doctor says in its first line how many connections, to what, and what limits them",
  async () => {
    const client = await doctor({ target: "tcp://127.0.0.1:4242" });
    assert.equal(client.code, 0);
    assert.match(
      client.lines[0]!,
      /^This host can hold about [\d,]+ client connections to tcp:\/\/127\.0\.0\.1:4242; the first limit is [\w .]+\.$/,
    );
    const server = await doctor({ role: "server", workers: 2 });
    assert.match(
      server.lines[0]!,
      /^This host can hold about [\d,]+ server connections in 2 processes; the first limit is /,
    );
  },
);

onLinux("doctor has a row for every limit, within 100 columns", async () => {
  const { lines } = await doctor({ connections: 100, target: "udp://[::1]:4242" });
  for (
    const name of [
      ...[
        "nofile",
        "fs.nr_open",
        "fs.file-max",
        "max_user_watches",
        "ip_local_port_range",
        "nf_conntrack_max",
      ],
      ...["free memory", "cgroup memory", "max user processes", "cgroup pids", "somaxconn"],
      ...["tcp_max_syn_backlog", "tcp_syncookies", "tcp_tw_reuse", "tcp_mem", "udp_mem"],
      ...["rmem_default, _max", "wmem_default, _max", "netdev_max_backlog"],
    ]
  ) {
    const row = lines.find((line) => line.startsWith(`${name}  `));
    assert.match(row ?? "", / (?:[\d,]+|-) {2,}(?:pass|short|unknown)$/, name);
  }
  for (const line of lines) assert.ok(line.length <= 100, line);
});

onLinux(
  "doctor ends with 5 where what was asked for does not fit, and says what mends it",
  async () => {
    const { hard } = fdLimits();
    const asked = hard + 1000;
    const { code, text } = await doctor({ connections: asked, role: "server" });
    assert.equal(code, 5);
    assert.match(text, /that are asked for do not fit: nofile[^\n]*\.$/m);
    assert.match(text, new RegExp(`^    mend: ulimit -n ${asked + 112}$`, "m"));
    assert.match(text, /^ {4}mend: or share them: --workers 2$/m);
    assert.equal((await doctor({ connections: 10, role: "server" })).code, 0);
    const shared = await doctor({ connections: asked, role: "server", workers: 2 });
    assert.doesNotMatch(shared.text, /^nofile .* short$/m);
    const automatic = await doctor({ connections: 3 * hard, workers: "auto" });
    assert.match(automatic.lines[0]!, / in 4 processes; /);
  },
);

onLinux("doctor --json has what the table has, as numbers", async () => {
  using directory = new Directory();
  const jsonFile = join(directory.path, "doctor.json");
  const { lines } = await doctor({ jsonFile, connections: 5, role: "server" });
  const json = JSON.parse(await Bun.file(jsonFile).text()) as Diagnosis;
  assert.equal(json.answer, lines[0]);
  assert.equal(json.fits, true);
  const nofile = json.limits.find(({ name }) => name === "nofile")!;
  assert.equal(nofile.connections, fdLimits().hard - 112);
  const alone = await doctor({ jsonFile: "-", role: "server" });
  assert.equal((JSON.parse(alone.text) as Diagnosis).limits.length, json.limits.length);
});

onLinux("doctor --script has nothing to run but its own commands", async () => {
  const { lines } = await doctor({
    role: "server",
    target: "tcp://a\ntouch$(id):1",
    connections: 2 * fdLimits().hard,
    script: true,
  });
  assert.equal(lines[0], "#!/bin/sh");
  for (const line of lines.join("\n").split("\n")) {
    assert.match(line, /^(#.*|failed=0|test \$failed = 0|(sysctl -w|ulimit|echo) .*|)$/);
  }
});

test("parseTarget() takes a host, host:port and endpoints", () => {
  for (
    const [text, endpoint] of [
      ["example.com", "tcp://example.com:4242"],
      ["example.com:99", "tcp://example.com:99"],
      ["10.0.0.1", "tcp://10.0.0.1:4242"],
      ["fd00::5", "tcp://[fd00::5]:4242"],
      ["[fd00::5]:7", "tcp://[fd00::5]:7"],
      ["ws://a/b", "ws://a:8080/b"],
      ["quic://a:1-9", "quic://a:1-9"],
    ] as const
  ) {
    assert.equal(formatEndpoint(parseTarget(text)), endpoint);
  }
  for (const text of ["a b", "a/b", "a:x", "a:1:2", "gopher://a", "?"]) {
    assert.throws(() => parseTarget(text), UsageError, text);
  }
});

for (
  const [args, code, message] of [
    [["--apply"], 2, /--apply has no effect without --connections/],
    [["-c", "5", "--script", "--json", "x"], 2, /--script and --json contradict each other/],
    [
      ["--role", "server", "--source-ports", "1-5"],
      2,
      /--source-ports and --role server contradict/,
    ],
    [["--connections-per-socket", "5"], 2, /applies to quic endpoints, not to tcp/],
    [["--source", "10.0.0.0/8"], 2, /has 16777214 addresses, and at most 65536/],
    [["--target", "no.such.host.invalid"], 4, /does not resolve/],
    [["--target", "gopher://x"], 2, /unknown scheme/],
    [["10.0.0.1"], 2, /holdfast doctor takes options only, but this came: "10\.0\.0\.1"/],
  ] as const
) {
  test(`holdfast doctor ${args.join(" ")} ends with ${code} and says why`, () => {
    const child = Bun.spawnSync([...holdfast, "doctor", ...args]);
    const err = child.stderr.toString();
    assert.equal(child.exitCode, code, err);
    assert.match(err, message);
    assert.match(err, /^holdfast: [^\n]*\n$/);
  });
}

for (const args of [["--json", "-"], ["--json"], ["--json", "-c", "5"], ["--json=-"]]) {
  onLinux(`holdfast doctor ${args.join(" ")} writes JSON on stdout, and nothing else`, () => {
    const child = Bun.spawnSync([...holdfast, "doctor", ...args]);
    assert.equal(child.stderr.toString(), "");
    assert.equal((JSON.parse(child.stdout.toString()) as Diagnosis).fits, true);
  });
}

const isRoot = process.getuid?.() === 0;

/** The runtime itself needs the rest of /proc. */
const hiding = [
  "mount -t tmpfs none /proc/sys",
  ...["/proc/meminfo", "/proc/loadavg", "/proc/$$/limits"].map((file) =>
    `mount --bind /dev/null ${file}`
  ),
].join(" && ");

(isRoot ? testWith(["unshare", "mount"]) : test.skip)(
  "doctor says what it cannot read, and ends in order",
  () => {
    const hidden = ["unshare", "--mount", "sh", "-c", `${hiding} && exec "$@"`, "sh"];
    const child = Bun.spawnSync([...hidden, ...holdfast, "doctor", "-c", "50"]);
    const text = child.stdout.toString();
    assert.equal(child.exitCode, 0, text + child.stderr.toString());
    assert.match(text, /^1\d of the limits cannot be read here\.$/m);
    for (const name of ["ip_local_port_range", "somaxconn", "tcp_mem", "max user processes"]) {
      assert.match(text, new RegExp(`^${name} +not known here +- +unknown$`, "m"));
    }
  },
);

test("table() says on a system that tells nothing that it is not known", () => {
  const question = {
    endpoint: undefined,
    targetName: "",
    capacity: clientQuestion,
    isAutomatic: false,
    sources: { protocol: "tcp" },
  } as const;
  const [first, ...lines] = table(judge(silentHost, question, 1000));
  assert.equal(
    first,
    "How many client connections to one target this host can hold is not known: darwin does not " +
      "tell, only Linux does.",
  );
  assert.ok(lines.includes("19 of the limits cannot be read here."), lines.join("\n"));
});

(isRoot ? testWith(["setpriv"]) : test.skip)("doctor --apply takes root", () => {
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const child = Bun.spawnSync([...nobody, ...holdfast, "doctor", "-c", "5", "--apply"]);
  if (child.stderr.toString().includes("EACCES")) return; // the tree is closed to others
  assert.equal(child.exitCode, 2, child.stderr.toString());
  assert.match(child.stderr.toString(), /^holdfast: --apply sets limits of the host, .*root/);
});
