import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../../..");

/** A router with a process of its own. */
export interface RouterProcess {
  readonly node: string;
  readonly ws: string;
  /** Of its pages: `/stats`. */
  readonly port: number;
  readonly process: Bun.Subprocess;
}

/** Runs `use` with two routers that are linked to each other. */
export async function withTwoRouters(
  use: (one: RouterProcess, other: RouterProcess) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-routers-"));
  const config = join(folder, "cluster.json");
  const [ws1 = 0, rs1 = 0, ws2 = 0, rs2 = 0] = freePorts(4);
  const nodes = [
    { node: "node1", listen: [`ws://127.0.0.1:${ws1}/ws`, `rs://127.0.0.1:${rs1}`] },
    { node: "node2", listen: [`ws://127.0.0.1:${ws2}/ws`, `rs://127.0.0.1:${rs2}`] },
  ];
  writeFileSync(config, JSON.stringify({ nodes, linkKey: "link.key" }));
  const one = startRouter(config, "node1", ws1);
  const other = startRouter(config, "node2", ws2);
  try {
    await Promise.all([linked(one), linked(other)]);
    await use(one, other);
  } finally {
    one.process.kill("SIGKILL");
    other.process.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
}

/** Ports that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const ports = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}

function startRouter(config: string, node: string, port: number): RouterProcess {
  const command = [process.execPath, "mod.ts", "wamp", "router", "--config", config];
  const child = Bun.spawn([...command, "--node", node, "--stats", "off", "--quiet"], {
    cwd: root,
    stdout: "ignore",
    stderr: "ignore",
  });
  return { node, ws: `ws://127.0.0.1:${port}/ws`, port, process: child };
}

/** What a router says of itself. */
export async function statsOf({ port }: RouterProcess): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}/stats`);
  return await response.json() as Record<string, unknown>;
}

/** Waits until a router has a link that is up. */
async function linked(router: RouterProcess): Promise<void> {
  const endMs = performance.now() + 15_000;
  while (performance.now() < endMs) {
    try {
      const { links } = await statsOf(router) as { links: { state: string }[] };
      if (links.some(({ state }) => state === "up")) return;
    } catch {
      // It does not listen yet.
    }
    await Bun.sleep(20);
  }
  throw new Error(`${router.node} has no link`);
}
