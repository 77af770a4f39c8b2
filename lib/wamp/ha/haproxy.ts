import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HostLimitError, UsageError } from "../../errors.ts";
import { Child, waitFor } from "./child.ts";
import { type BalancerSettings, haproxyConfig } from "./haproxy_config.ts";

/** Debian installs it where a user's path does not look. */
const searchPath = "/usr/sbin:/usr/local/sbin:/sbin";
const startLimitMs = 10_000;

/** HAProxy in front of the nodes, as a child of this process. */
export class Haproxy {
  readonly configFile: string;
  readonly config: string;
  readonly #settings: BalancerSettings;
  readonly #program: string;
  #child: Child | undefined;

  /**
   * Writes the configuration.
   *
   * @param program its name or path.
   * @throws {UsageError} HAProxy is not installed.
   * @throws {HostLimitError} it does not accept its configuration.
   */
  constructor(folder: string, settings: BalancerSettings, program: string) {
    this.#program = findProgram(program);
    this.#settings = settings;
    this.config = haproxyConfig(settings);
    this.configFile = join(folder, "haproxy.cfg");
    mkdirSync(folder, { recursive: true });
    writeFileSync(this.configFile, this.config);
    const check = Bun.spawnSync([this.#program, "-c", "-f", this.configFile]);
    if (check.exitCode !== 0) {
      throw new HostLimitError(
        `HAProxy does not accept ${this.configFile}: ${check.stderr.toString().trim()}`,
      );
    }
  }

  /**
   * @param ended called should it end by itself.
   * @throws {HostLimitError} it does not start.
   */
  async start(signal: AbortSignal, ended: (child: Child) => void): Promise<void> {
    const child = this.#child = new Child("HAProxy", [
      this.#program,
      ...["-db", "-f", this.configFile],
    ]);
    child.watch(ended);
    await waitFor("the start of HAProxy", startLimitMs, [child], signal, async () => {
      const states = await this.states();
      return this.#settings.nodes.every(({ name }) => states.get(name) === "UP");
    });
  }

  /** What it thinks of its servers: `UP`, `DOWN`, …; empty while it does not answer. */
  async states(): Promise<ReadonlyMap<string, string>> {
    const text = await askSocket(this.#settings.statsSocket, "show stat\n");
    const rows = text.trim().split("\n").map((line) => line.split(","));
    const header = rows[0] ?? [];
    const [name, proxy, status] = ["svname", "# pxname", "status"].map((each) =>
      header.indexOf(each)
    );
    return new Map(
      rows.slice(1).filter((row) => row[proxy!] === "routers")
        .map((row) => [row[name!] ?? "", (row[status!] ?? "").split(" ")[0]!]),
    );
  }

  async stop(): Promise<void> {
    await this.#child?.end();
  }
}

function findProgram(program: string): string {
  const found = Bun.which(program) ?? Bun.which(program, { PATH: searchPath });
  if (found !== null) return found;
  throw new UsageError(
    `${program} is not installed; install HAProxy (Debian, Ubuntu: apt-get install haproxy), or ` +
      `name a balancer that runs already with --balancer`,
  );
}

/** Asks HAProxy's statistics socket; empty where nobody answers. */
function askSocket(path: string, command: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const end = () => resolve(text);
  const decoder = new TextDecoder();
  Bun.connect({
    unix: path,
    socket: {
      open: (socket) => void socket.write(command),
      data: (_, bytes) => void (text += decoder.decode(bytes, { stream: true })),
      end,
      close: end,
      error: end,
      connectError: end,
    },
  }).catch(end);
  return promise;
}
