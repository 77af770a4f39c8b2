import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { testWith } from "../programs.ts";
import { evaluated, startBrowser } from "./browser.ts";
import { Program } from "./program.ts";

const root = join(import.meta.dir, "../..");

testWith(["chromium"])("the live page shows a server and its clients in a browser", async () => {
  const command = [process.execPath, "--no-warnings", join(root, "mod.ts")];
  await using server = await Program.start(
    [...command, "server", "tcp://127.0.0.1:0", "--stats", "127.0.0.1:0"],
    /statistics on http:\S+/,
  );
  const endpoint = /listening on (\S+)/.exec(server.text)![1]!;
  await using client = await Program.start(
    [...command, "client", endpoint, "-c", "37", "-r", "500", "-t", "60s"]
      .concat("--stats", "127.0.0.1:0", "--max-schedule-error", "10s"),
    /statistics on http:\S+[\s\S]*steady/,
  );
  const { program, debuggerUrl } = await startBrowser();
  await using _browser = program;
  for (const { text } of [server, client]) {
    const url = /statistics on (http:\S+)/.exec(text)![1]!;
    const tiles = await evaluated(
      debuggerUrl,
      url,
      "document.querySelectorAll('canvas').length > 0 ? document.body.innerText : ''",
    );
    assert.match(tiles, /^live$/m, tiles);
    assert.match(tiles, /^37$/m, tiles);
  }
}, 90_000);

testWith(["chromium"])("--html leaves a page that shows the run without a server", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-html-"));
  try {
    const page = join(directory, "run.html");
    const command = [process.execPath, "--no-warnings", join(root, "mod.ts")];
    await using server = await Program.start(
      [...command, "server", "tcp://127.0.0.1:0", "--stats", "off"],
      /listening on \S+/,
    );
    const endpoint = /listening on (\S+)/.exec(server.text)![1]!;
    const client = Bun.spawn(
      [...command, "client", endpoint, "-c", "7", "-r", "500", "-t", "3s", "--stats", "off"]
        .concat("--html", page, "--max-schedule-error", "10s", "--label", "note=</script><b>"),
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    assert.equal(await client.exited, 0);
    const { program, debuggerUrl } = await startBrowser();
    await using _browser = program;
    const text = await evaluated(
      debuggerUrl,
      `file://${page}`,
      "document.querySelectorAll('canvas').length > 0 ? document.body.innerText : ''",
    );
    assert.match(text, /^recorded$/m, text);
    assert.match(text, /^of 7$/m, text);
    assert.match(text, /^note=<\/script><b>$/m, text);
    assert.match(text, /^ok$/m, text);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 90_000);
