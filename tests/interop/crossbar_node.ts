import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SigningKey } from "../../lib/wamp/cryptosign/cryptosign.ts";
import { freePorts } from "../../lib/wamp/ha/free_ports.ts";
import { crossbar } from "./crossbar_program.ts";

export const hasCrossbar = existsSync(crossbar);

/** Whom a node lets in by a key: the private key, 32 bytes in hex. */
export const joesKey = "07".repeat(32);
const joe = new SigningKey(Buffer.from(joesKey, "hex"));

const allowed = { call: true, register: true, publish: true, subscribe: true };

/** A node with one realm that lets everybody in, `joe` by his key, over WebSocket and rawsocket. */
function configuration(ws: number, rs: number): object {
  const serializers = ["cbor", "msgpack", "json"];
  const principals = { joe: { role: "anonymous", authorized_keys: [joe.publicKey] } };
  const auth = {
    anonymous: { type: "static", role: "anonymous" },
    cryptosign: { type: "static", principals },
  };
  const permissions = [{ uri: "", match: "prefix", allow: allowed }];
  return {
    version: 2,
    controller: {},
    workers: [{
      type: "router",
      realms: [{ name: "realm1", roles: [{ name: "anonymous", permissions }] }],
      transports: [
        { type: "websocket", endpoint: { type: "tcp", port: ws }, serializers, auth },
        { type: "rawsocket", endpoint: { type: "tcp", port: rs }, serializers },
      ],
    }],
  };
}

/** The command of a node in this folder that listens on these ports; its configuration is written. */
export function crossbarCommand(folder: string, ws: number, rs: number): string[] {
  const nodeFolder = join(folder, ".crossbar");
  mkdirSync(nodeFolder, { recursive: true });
  writeFileSync(join(nodeFolder, "config.json"), JSON.stringify(configuration(ws, rs)));
  return [crossbar, "start", "--cbdir", nodeFolder];
}

/** Runs `use` with a Crossbar router, which has ended when this returns. */
export async function withCrossbar(
  use: (urls: { readonly ws: string; readonly rs: string }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-crossbar-"));
  const [ws = 0, rs = 0] = freePorts(2);
  // In a process group of its own: its workers are children of it.
  const child = Bun.spawn(["setsid", ...crossbarCommand(folder, ws, rs)], {
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    await untilItListens([ws, rs]);
    await use({ ws: `ws://127.0.0.1:${ws}/ws`, rs: `rs://127.0.0.1:${rs}` });
  } finally {
    child.kill("SIGTERM");
    const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), 10_000);
    await child.exited;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws {Error} it does not within a minute. */
export async function untilItListens(ports: readonly number[]): Promise<void> {
  const untilMs = performance.now() + 60_000;
  for (const port of ports) {
    for (;;) {
      try {
        const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
        socket.terminate();
        break;
      } catch (error) {
        if (performance.now() > untilMs) throw error;
        await Bun.sleep(100);
      }
    }
  }
}
