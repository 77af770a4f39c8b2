import { test } from "bun:test";
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import type { Command } from "../../lib/cli/command.ts";
import { commands } from "../../lib/cli/commands.ts";
import { main } from "../../lib/cli/main.ts";
import { p2pCommands } from "../../lib/cli/p2p_commands.ts";
import { wampCommands } from "../../lib/cli/wamp_commands.ts";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import {
  type ExitCode,
  exitCodes,
  HostLimitError,
  TargetUnreachableError,
} from "../../lib/errors.ts";
import type { CommandLine } from "../../lib/options/command_line.ts";
import { doctorRows } from "../../lib/doctor/options.ts";
import { reportRows } from "../../lib/results/options.ts";
import { serverRows } from "../../lib/server/options.ts";
import { CollectedIo } from "./collected_io.ts";

/** The real table of the client, with a run that tells what reached it. */
function clientThat(
  run: (commandLine: CommandLine<ClientSettings>, signal: AbortSignal) => Promise<ExitCode>,
): Command[] {
  const client = commands.find(({ name }) => name === "client");
  assert.ok(client !== undefined);
  const load = () =>
    Promise.resolve({
      run: (line: unknown, _io: unknown, signal: AbortSignal) =>
        run(line as CommandLine<ClientSettings>, signal),
    });
  return [{ ...client, load }];
}

async function runMain(
  argv: readonly string[],
  environment: Record<string, string> = {},
  available: readonly Command[] = clientThat(() => Promise.resolve(exitCodes.ok)),
) {
  const io = new CollectedIo();
  const exitCode = await main(argv, environment, io, new AbortController().signal, available);
  return { exitCode, out: io.outLines.join("\n"), notes: io.noteLines.join("\n") };
}

/** The command line that reaches the client. */
async function received(
  argv: readonly string[],
  environment: Record<string, string> = {},
): Promise<CommandLine<ClientSettings>> {
  let line: CommandLine<ClientSettings> | undefined;
  const available = clientThat((commandLine) => {
    line = commandLine;
    return Promise.resolve(exitCodes.ok);
  });
  const { exitCode, notes } = await runMain(["client", ...argv], environment, available);
  assert.equal(exitCode, 0, notes);
  assert.ok(line !== undefined);
  return line;
}

test("main() hands a subcommand its arguments and parsed settings", async () => {
  const line = await received(["-c", "5k", "tcp://box:1", "--rate=1.5k", "-t60s", "--verify"]);
  assert.deepEqual(line.positional, ["tcp://box:1"]);
  assert.equal(line.settings.connections, 5000);
  assert.equal(line.settings.ratePerSecond, 1500);
  assert.equal(line.settings.durationMs, 60_000);
  assert.equal(line.settings.verify, true);
  assert.equal(line.settings.timeoutMs, 5000);
  assert.deepEqual([...line.given].sort(), [
    "connections",
    "durationMs",
    "ratePerSecond",
    "verify",
  ]);
  assert.equal(line.rendered["rate"], "1500/s");
  assert.equal(line.version, manifest.version);
});

test("main() lets the command line go before the environment, and that before defaults", async () => {
  const environment = { HOLDFAST_RATE: "7", HOLDFAST_TIMEOUT: "2s", HOLDFAST_VERIFY: "1" };
  const line = await received(["tcp://:1", "-r", "9"], environment);
  assert.equal(line.settings.ratePerSecond, 9);
  assert.equal(line.settings.timeoutMs, 2000);
  assert.equal(line.settings.verify, true);
  assert.equal(line.settings.connections, 1);
  assert.ok(line.given.has("timeoutMs"));
  const off = await received(["tcp://:1", "--no-verify"], environment);
  assert.equal(off.settings.verify, false);
});

test("main() collects repeatable options in order", async () => {
  const line = await received(["tcp://:1", "--expect", "a<1", "--expect=b<2", "--label", "x=y"]);
  assert.deepEqual(line.settings.expectations, ["a<1", "b<2"]);
  assert.deepEqual(line.settings.labels, [{ key: "x", value: "y" }]);
});

test("main() takes a value that starts with a dash, and - for a stream", async () => {
  const line = await received(["tcp://:1", "-r", "5", "--csv", "-", "--json=-x.json"]);
  assert.equal(line.settings.csvFile, "-");
  assert.equal(line.settings.jsonFile, "-x.json");
});

test("main() takes what follows -- as arguments", async () => {
  const line = await received(["-c", "2", "--", "tcp://:1"]);
  assert.deepEqual(line.positional, ["tcp://:1"]);
});

const wrongLines: [string, RegExp][] = [
  ["client", /^holdfast: holdfast client needs an endpoint, for instance tcp:/],
  ["client a b", /takes one endpoint, but 2 came: "a", "b"$/],
  [
    "client tcp://:1 --rat 5",
    /unknown option '--rat' \(Did you mean --rate\?\); holdfast client --help/,
  ],
  ["client tcp://:1 -x", /unknown option '-x'; holdfast client --help/],
  ["client tcp://:1 --verify=1", /unknown option '--verify=1'/],
  ["client tcp://:1 --rate", /^holdfast: --rate needs a value; holdfast client --help/],
  ["client tcp://:1 -t", /^holdfast: --duration needs a value/],
  ["client tcp://:1 --csv --json x", /--csv needs a value, but the option --json came/],
  ["client tcp://:1 --csv -q", /--csv needs a value, but the option -q came/],
  ["client tcp://:1 -r 5x", /^holdfast: --rate: "5x" is not a rate; write a number/],
  ["client tcp://:1 -r 5 --rate 6", /--rate is given 2 times/],
  ["client tcp://:1 -r 5 --interval 1s", /--rate and --interval contradict each other/],
  ["clinet tcp://:1", /unknown command 'clinet' \(Did you mean client\?\); holdfast --help/],
  ["tcp://:1", /the command is missing; write holdfast client tcp:\/\/:1$/],
  ["-c 5 client", /unknown option '-c'; holdfast --help/],
  ["help nothing", /there is no command "nothing"; use client$/],
];

for (const [line, message] of wrongLines) {
  test(`main() answers "holdfast ${line}" with one line and exit code 2`, async () => {
    const { exitCode, out, notes } = await runMain(line.split(" "));
    assert.equal(exitCode, exitCodes.usage);
    assert.match(notes, message);
    assert.match(notes, /^holdfast: [^\n]+$/);
    assert.equal(out, "");
  });
}

test("main() without arguments shows help on stderr, as an error", async () => {
  const { exitCode, out, notes } = await runMain([]);
  assert.equal(exitCode, exitCodes.usage);
  assert.equal(out, "");
  assert.match(notes, /Usage: holdfast <command>/);
});

test("main() refuses a variable with a slip in its name, and leaves foreign ones alone", async () => {
  const slip = await runMain(["client", "tcp://:1"], { HOLDFAST_RAET: "5" });
  assert.equal(slip.exitCode, exitCodes.usage);
  assert.match(slip.notes, /sets HOLDFAST_RAET.*did you mean HOLDFAST_RATE\?/);
  const foreign = { HOLDFAST_PORT: "tcp://10.0.0.1:80", HOLDFAST_SERVICE_HOST: "10.0.0.1" };
  assert.equal((await runMain(["client", "tcp://:1"], foreign)).exitCode, 0);
});

test("main() names the variable that is wrong", async () => {
  const { exitCode, notes } = await runMain(["client", "tcp://:1"], { HOLDFAST_TIMEOUT: "5" });
  assert.equal(exitCode, exitCodes.usage);
  assert.match(notes, /^holdfast: HOLDFAST_TIMEOUT: "5" has no unit/);
});

test("main() ends with the exit code of a typed error", async () => {
  for (
    const [error, exitCode] of [[new TargetUnreachableError("gone"), 4], [
      new HostLimitError("full"),
      5,
    ]] as const
  ) {
    const outcome = await runMain(["client", "x"], {}, clientThat(() => Promise.reject(error)));
    assert.deepEqual(outcome, { exitCode, out: "", notes: `holdfast: ${error.message}` });
  }
});

test("main() calls an unexpected error a bug, in one line", async () => {
  const failing = clientThat(() => Promise.reject(new RangeError("first\nsecond")));
  const { exitCode, notes } = await runMain(["client", "x"], {}, failing);
  assert.equal(exitCode, exitCodes.internal);
  assert.equal(
    notes,
    "holdfast: this is a bug, please report it: RangeError: first (HOLDFAST_DEBUG=1 shows where)",
  );
});

test("main() shows a trace when HOLDFAST_DEBUG asks for it", async () => {
  const failing = clientThat(() => Promise.reject(new RangeError("oh")));
  const { exitCode, notes } = await runMain(["client", "x"], { HOLDFAST_DEBUG: "1" }, failing);
  assert.equal(exitCode, exitCodes.internal);
  assert.match(notes, /main_test\.ts:\d+/);
  const off = await runMain(["client", "x"], { HOLDFAST_DEBUG: "0" }, failing);
  assert.ok(!off.notes.includes("main_test.ts"));
});

test("main() shows the version", async () => {
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await runMain([flag]), { exitCode: 0, out: manifest.version, notes: "" });
  }
});

test("the commands have their tables", () => {
  const own = [serverRows, clientRows, doctorRows, reportRows];
  assert.deepEqual(commands.map(({ name }) => name), [
    ...["server", "client", "doctor", "report"],
    ...[...p2pCommands, ...wampCommands].map(({ name }) => name),
  ]);
  assert.deepEqual(commands.slice(0, own.length).map(({ rows }) => rows), own);
  for (const { name } of commands.slice(own.length)) assert.match(name, /^(p2p|wamp) [a-z]+$/);
});

test("main() names an argument as its command takes it", async () => {
  const { exitCode, notes } = await runMain(["report"], {}, commands);
  assert.equal(exitCode, exitCodes.usage);
  assert.equal(notes, "holdfast: holdfast report needs a file, for instance host-a.json");
});
