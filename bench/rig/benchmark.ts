import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "./report.ts";

/** What a benchmark works with while it runs. */
export class Benchmark {
  readonly #files = new Set<string>();

  constructor(
    readonly name: string,
    readonly report: Report,
    /** A folder of its own, removed at the end. */
    readonly directory: string,
  ) {}

  /** A path in the folder that is not in use: the same again for runs one after another. */
  newFile(extension: string): string {
    for (let number = 1;; number++) {
      const path = join(this.directory, `${this.name}-${number}.${extension}`);
      if (this.#files.has(path)) continue;
      this.#files.add(path);
      return path;
    }
  }

  /** Removes a file whose path `newFile` gave. */
  removeFile(path: string): void {
    rmSync(path, { force: true });
    this.#files.delete(path);
  }
}

/** One file of this folder. */
export interface BenchmarkEntry {
  readonly summary: string;
  /** Takes minutes: runs only when it is chosen by name. */
  readonly isLong?: boolean;
  run(benchmark: Benchmark): Promise<void>;
}
