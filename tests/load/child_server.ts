import { join } from "node:path";

/** A server in a process of its own, so that it shares no event loop with what is measured. */
export class ChildServer<Report> {
  readonly #child: Bun.Subprocess;
  readonly #waiting: ((message: unknown) => void)[] = [];
  port = 0;

  private constructor(program: string, settings: unknown) {
    this.#child = Bun.spawn([
      process.execPath,
      join(import.meta.dir, program),
      JSON.stringify(settings),
    ], {
      ipc: (message) => this.#waiting.shift()?.(message),
      serialization: "json",
      stdio: ["ignore", "inherit", "inherit"],
    });
  }

  /** Starts a program of this folder, which sends `{ port }` when it listens. */
  static async start<Report>(program: string, settings: unknown): Promise<ChildServer<Report>> {
    const server = new ChildServer<Report>(program, settings);
    const { port } = await server.#next() as { port: number };
    server.port = port;
    return server;
  }

  /** The answer to a request; the server answers requests in their order. */
  ask(request: unknown): Promise<unknown> {
    this.#child.send(request);
    return this.#next();
  }

  async report(): Promise<Report> {
    return await this.ask("report") as Report;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Ends the process and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#child.exited;
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      void this.#child.exited.then((code) => reject(new Error(`the server ended with ${code}`)));
    });
  }
}

/** The server's side: says where it listens, and answers each request of its parent. */
export function serveParent(port: number, answer: (request: unknown) => unknown): void {
  process.on("message", (request) => process.send!(answer(request)));
  process.on("disconnect", () => process.exit(0));
  process.send!({ port });
}
