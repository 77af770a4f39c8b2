import { afterAll } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { testWith } from "../programs.ts";
import { Program } from "./program.ts";

const root = join(import.meta.dir, "../..");
const profile = mkdtempSync(join(tmpdir(), "holdfast-chromium-"));
afterAll(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));

/** A headless browser, driven over the DevTools protocol. */
async function startBrowser(): Promise<{ program: Program; debuggerUrl: string }> {
  const program = await Program.start(
    [
      "chromium",
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-sync",
      "--disable-component-update",
      "--disable-background-networking",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      "--remote-debugging-port=0",
      "about:blank",
    ],
    /DevTools listening on (ws:\S+)/,
  );
  const [, address = ""] = /DevTools listening on ws:\/\/([^/\s]+)/.exec(program.text)!;
  return { program, debuggerUrl: `http://${address}` };
}

/** The text of an expression in a page, once it is not empty. */
async function evaluated(debuggerUrl: string, url: string, expression: string): Promise<string> {
  const opened = await fetch(`${debuggerUrl}/json/new?${url}`, { method: "PUT" });
  const { webSocketDebuggerUrl } = await opened.json() as { webSocketDebuggerUrl: string };
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  const deadlineMs = performance.now() + 15_000;
  try {
    for (;;) {
      const answer = new Promise<string>((resolve) => {
        socket.addEventListener("message", ({ data }) => resolve(String(data)), { once: true });
      });
      const params = { expression, returnByValue: true };
      socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params }));
      const { result } = JSON.parse(await answer) as { result: { result: { value?: string } } };
      const text = result.result.value ?? "";
      if (text !== "" || performance.now() > deadlineMs) return text;
      await Bun.sleep(100);
    }
  } finally {
    socket.close();
  }
}

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
