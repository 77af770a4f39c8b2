/**
 * `deno task test`: runs every test file in a process of its own with a bound on its time, so that
 * one that hangs or crashes fails alone. Arguments choose files by a part of their path; those of
 * `chosenFolders` run only when they are chosen. The last line is `N passed, N failed, N skipped`.
 *
 * Files run several at a time, since most of them wait most of the time: three, then two of those
 * that measure, one on each core of a small machine, then one by one those that other load would
 * change.
 */
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const fileTimeoutMs = 180_000;
/** What runs only where it is chosen: it takes minutes, or needs more than the tests' own programs. */
const chosenFolders = ["tests/long/", "tests/interop/rust_libp2p/"];
/** Groups of files, by the beginning of their path, of which so many run at a time; the first counts. */
const groups = [
  // What they judge, or read of the whole host, would change with other load; or they take all of it.
  {
    lanes: 1,
    files: [
      "tests/end_to_end/long_runs_test.ts",
      "tests/end_to_end/many_connections_test.ts",
      "tests/end_to_end/many_workers_test.ts",
      "tests/end_to_end/ramp_generator_cpu_test.ts",
      "tests/host/",
      "tests/load/",
      "tests/long/",
    ],
  },
  // Loads with times to keep, which leave most of a core.
  {
    lanes: 2,
    files: [
      "tests/bench/",
      "tests/client/",
      "tests/doctor/",
      "tests/end_to_end/",
      "tests/workers/",
    ],
  },
  { lanes: 3, files: ["tests/"] },
];
/** Begun first in their group, the longest first, so that no lane is left alone with one of them. */
const slowest = [
  "tests/transport/quic_conformance_test.ts",
  "tests/p2p/local/run_test.ts",
  "tests/transport/conformance_test.ts",
  "tests/transport/quic_ends_test.ts",
  "tests/wamp/ha/ha_test.ts",
  "tests/cli/wrong_servers_test.ts",
  "tests/server/workers_test.ts",
  "tests/p2p/node/run_test.ts",
  "tests/end_to_end/long_runs_test.ts",
  "tests/doctor/prediction_test.ts",
  "tests/end_to_end/outage_test.ts",
  "tests/end_to_end/ramp_host_limits_test.ts",
  "tests/bench/million_test.ts",
];

interface Outcome {
  passed: number;
  failed: number;
  /** Names of the tests that were skipped. */
  skipped: string[];
}

let reports = 0;
const root = join(import.meta.dir, "..");
const filters = process.argv.slice(2);
const allFiles = [...new Bun.Glob("tests/**/*_test.ts").scanSync(root)];
for (const listed of [...slowest, ...groups.flatMap(({ files }) => files)]) {
  if (allFiles.some((file) => file.startsWith(listed))) continue;
  throw new Error(`tests/run.ts lists ${listed}, which is no test file or folder`);
}
const files = allFiles
  .filter((file) =>
    filters.length === 0
      ? !chosenFolders.some((folder) => file.startsWith(folder))
      : filters.some((filter) => file.includes(filter))
  )
  .sort((a, b) => slowness(b) - slowness(a) || (a < b ? -1 : 1));

const total: Outcome = { passed: 0, failed: 0, skipped: [] };
for (const group of groups.toReversed()) {
  await runFiles(files.filter((file) => groupOf(file) === group), group.lanes);
}
if (total.skipped.length > 0) {
  console.log("skipped:");
  for (const name of total.skipped) console.log(`  ${name}`);
}
console.log(
  `${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`,
);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

function groupOf(file: string) {
  return groups.find(({ files }) => files.some((beginning) => file.startsWith(beginning)));
}

/** How far to the front of its group a file belongs. */
function slowness(file: string): number {
  const place = slowest.indexOf(file);
  return place < 0 ? 0 : slowest.length - place;
}

async function runFiles(files: readonly string[], lanes: number): Promise<void> {
  const waiting = files.values();
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (const file of waiting) {
      const outcome = await runFile(file);
      total.passed += outcome.passed;
      total.failed += outcome.failed;
      total.skipped.push(...outcome.skipped);
    }
  }));
}

async function runFile(file: string): Promise<Outcome> {
  const report = join(tmpdir(), `holdfast-test-${process.pid}-${reports++}.xml`);
  const startedMs = performance.now();
  const child = Bun.spawn(
    [
      process.execPath,
      "test",
      "--no-warnings",
      "--timeout=60000",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      `./${file}`,
    ],
    { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true },
  );
  const deadline = setTimeout(() => killGroup(child.pid), fileTimeoutMs);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(deadline);
  // Whatever the tests of the file started ends with it.
  killGroup(child.pid);
  const outcome = readReport(report);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (code !== 0 && outcome.failed === 0) outcome.failed = 1;
  const skips = outcome.skipped.length > 0 ? `, ${outcome.skipped.length} skipped` : "";
  const verdict = outcome.failed > 0 ? `FAILED (${outcome.failed}, exit code ${code})` : "ok";
  console.log(`${verdict} ${file}: ${outcome.passed} passed${skips} in ${seconds} s`);
  if (outcome.failed > 0) console.log(stdout + stderr);
  return outcome;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left of the group.
  }
}

/** Counts the `<testcase>` elements of a JUnit report; a missing report counts nothing. */
function readReport(path: string): Outcome {
  const outcome: Outcome = { passed: 0, failed: 0, skipped: [] };
  let text: string;
  try {
    text = readFileSync(path, "utf8");
    rmSync(path);
  } catch {
    return outcome;
  }
  for (
    const [, attributes = "", body] of text.matchAll(
      /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
    )
  ) {
    const name = /name="([^"]*)"/.exec(attributes)?.[1] ?? "?";
    if (body?.includes("<skipped")) outcome.skipped.push(unescapeXml(name));
    else if (body?.includes("<failure") || body?.includes("<error")) outcome.failed++;
    else outcome.passed++;
  }
  return outcome;
}

function unescapeXml(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
