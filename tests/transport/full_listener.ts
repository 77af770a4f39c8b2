import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";

const libc = join(import.meta.dir, "../../lib/host/libc.ts");

const source = `
import { setListenBacklog } from ${JSON.stringify(libc)};
const socket = { open: (socket) => void socket.resume(), data() {} };
const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
setListenBacklog(listener.fd, 1);
console.log(listener.port);
`;

/**
 * A process that listens on 127.0.0.1 and has stopped: two connections wait to be accepted, and the
 * kernel answers no further ones.
 */
export class FullListener implements Disposable {
  readonly #waiting: Socket[] = [];

  private constructor(
    readonly port: number,
    private readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">,
  ) {}

  static async start(): Promise<FullListener> {
    const child = Bun.spawn([process.execPath, "-e", source], {
      stdin: "ignore",
      stdout: "pipe",
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    const first = await child.stdout.getReader().read();
    const full = new FullListener(Number(new TextDecoder().decode(first.value)), child);
    child.kill("SIGSTOP");
    await Promise.all([full.#wait(), full.#wait()]);
    return full;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(this.port, "127.0.0.1", resolve);
      socket.on("error", () => resolve());
      this.#waiting.push(socket);
    });
  }

  /** Everyone is accepted from now on. */
  makeRoom(): void {
    this.child.kill("SIGCONT");
  }

  [Symbol.dispose](): void {
    for (const socket of this.#waiting) socket.destroy();
    this.child.kill("SIGKILL");
  }
}
