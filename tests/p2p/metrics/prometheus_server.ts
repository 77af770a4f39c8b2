import { Directory, freePort, Program } from "../../interop/program.ts";

/** One series of an instant query. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Debian's Prometheus at work with a configuration of ours, whose targets it finds after 5 s. Leaving its
 * scope ends it.
 */
export class PrometheusServer implements AsyncDisposable {
  private constructor(
    private readonly program: Program,
    private readonly directory: Directory,
    private readonly port: number,
  ) {}

  static async start(config: string): Promise<PrometheusServer> {
    const directory = new Directory();
    try {
      const path = await directory.write("prometheus.yml", config);
      const port = await freePort();
      const program = await Program.start([
        "prometheus",
        `--config.file=${path}`,
        `--storage.tsdb.path=${directory.path}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ], /Server is ready to receive web requests/);
      return new PrometheusServer(program, directory, port);
    } catch (error) {
      directory[Symbol.dispose]();
      throw error;
    }
  }

  /** What an expression of PromQL gives now. */
  async query(expression: string): Promise<Series[]> {
    const body = await this.get(`query?query=${encodeURIComponent(expression)}`) as {
      result: { metric: Record<string, string>; value: [number, string] }[];
    };
    return body.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Asks until the answer has so many series that are as wanted. */
  async queryUntil(
    expression: string,
    wanted: (series: readonly Series[]) => boolean,
  ): Promise<Series[]> {
    const deadlineMs = performance.now() + 30_000;
    for (;;) {
      const series = await this.query(expression);
      if (wanted(series)) return series;
      if (performance.now() > deadlineMs) {
        throw new Error(`${expression} stays ${JSON.stringify(series)}\n${this.program.text}`);
      }
      await Bun.sleep(100);
    }
  }

  /** The types that targets have declared, by name. */
  async types(): Promise<ReadonlyMap<string, string>> {
    const body = await this.get("metadata") as Record<string, readonly { type: string }[]>;
    return new Map(Object.entries(body).map(([name, [entry]]) => [name, entry?.type ?? ""]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }

  private async get(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}`);
    const body = await response.json() as { status: string; error?: string; data: unknown };
    if (body.status !== "success") throw new Error(`${path}: ${body.error}`);
    return body.data;
  }
}
