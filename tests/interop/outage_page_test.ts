import assert from "node:assert/strict";
import { startClient } from "../end_to_end/command_line.ts";
import { RestartedServer } from "../end_to_end/restarted_server.ts";
import { testWith } from "../programs.ts";
import { evaluated, startBrowser } from "./browser.ts";

testWith(["chromium"])("the live page shows an outage while it lasts, and afterwards", async () => {
  await using server = await RestartedServer.start(["tcp"]);
  const client = startClient([
    ...server.argumentsFor("tcp"),
    ...["-c", "37", "-r", "200", "-t", "60s", "--reconnect", "50ms..500ms"],
  ]);
  try {
    const { program, debuggerUrl } = await startBrowser();
    await using _browser = program;
    const [, url = ""] = await client.program.says(/^statistics on (\S+)$[\s\S]*steady/m);
    const pageWith = (pattern: RegExp) => {
      const text = "document.body.innerText";
      return evaluated(debuggerUrl, url, `${pattern}.test(${text}) ? ${text} : ''`);
    };
    await server.kill();
    const during = await pageWith(/37 of 37 down for \d+\.\d{3} s/);
    assert.match(during, /^outage$/m, during);
    await server.startAgain();
    const after = await pageWith(/last: all back after \d+\.\d{3} s/);
    assert.match(after, /^Outages$/m, after);
    assert.match(after, /\t37\t\d\.\d{3} s\t.*\t127\.0\.0\.1 37$/m, after);
  } finally {
    await client.program[Symbol.asyncDispose]();
  }
}, 90_000);
