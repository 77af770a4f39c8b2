import type { Io } from "../../lib/report/io.ts";

/** Keeps what a command says instead of printing it. */
export class CollectedIo implements Io {
  readonly isTerminal = false;
  readonly outLines: string[] = [];
  readonly noteLines: string[] = [];

  out(line: string): void {
    this.outLines.push(line);
  }

  note(line: string): void {
    this.noteLines.push(line);
  }

  live(): void {}

  write(bytes: Uint8Array): void {
    this.outLines.push(new TextDecoder().decode(bytes));
  }

  readStdin(): Promise<string> {
    return Promise.resolve("");
  }
}
