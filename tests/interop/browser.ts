import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "./program.ts";

const profile = mkdtempSync(join(tmpdir(), "holdfast-chromium-"));
afterAll(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));

/** A headless browser, driven over the DevTools protocol. */
export async function startBrowser(): Promise<{ program: Program; debuggerUrl: string }> {
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
export async function evaluated(
  debuggerUrl: string,
  url: string,
  expression: string,
): Promise<string> {
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
