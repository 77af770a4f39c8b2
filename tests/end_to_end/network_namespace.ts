import assert from "node:assert/strict";
import process from "node:process";
import { searchPath } from "../programs.ts";

/**
 * A network of its own, with nothing but loopback, in which every port is free. Programs in it are
 * started through `command`; they must have ended when it is disposed of.
 */
export class NetworkNamespace implements Disposable {
  private constructor(readonly name: string) {}

  /**
   * @param role tells it from others of this process.
   * @returns undefined where this process may not make one, or there is no `ip`.
   */
  static make(role = ""): NetworkNamespace | undefined {
    const name = `holdfast-test-${process.pid}${role}`;
    if (process.platform !== "linux" || Bun.which("ip") === null) return undefined;
    if (!ip("netns", "add", name)) return undefined;
    const namespace = new NetworkNamespace(name);
    if (ip("-n", name, "link", "set", "lo", "up") && ip(...namespace.command.slice(1), "true")) {
      return namespace;
    }
    namespace[Symbol.dispose]();
    return undefined;
  }

  /** What to put in front of a command. */
  get command(): readonly string[] {
    return ["ip", "netns", "exec", this.name];
  }

  /** Runs a command in it to its end, which has to be a success, and gives what it printed. */
  async run(command: readonly string[], input = ""): Promise<string> {
    const child = Bun.spawn([...this.command, ...command], {
      env: { ...process.env, PATH: searchPath },
      stdin: new TextEncoder().encode(input),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    assert.equal(code, 0, `${command.join(" ")}: ${out}${err}`);
    return out;
  }

  [Symbol.dispose](): void {
    ip("netns", "delete", this.name);
  }
}

function ip(...args: readonly string[]): boolean {
  return Bun.spawnSync(["ip", ...args]).exitCode === 0;
}
