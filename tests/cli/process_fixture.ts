/** A process with the terminal, the signals and the last resort of the executable; see the test. */
import process from "node:process";
import { abortOnSignals } from "../../lib/cli/signals.ts";
import { Terminal } from "../../lib/cli/terminal.ts";
import { catchUnhandled } from "../../lib/cli/unhandled_errors.ts";

const isTerminal = process.argv[3] === "terminal";
const terminal = new Terminal({ isTerminal, columns: () => 20 });
const interruption = abortOnSignals((name) => terminal.note(`announced ${name}`));

const scenarios: Record<string, () => void | Promise<void>> = {
  async interleave() {
    for (let index = 0; index < 20_000; index++) {
      terminal.out(`line ${index}`);
      terminal.write(new TextEncoder().encode(`bytes ${index}\n`));
      // A reader that is slower than the writer must find everything.
      if (index % 1000 === 0) await Bun.sleep(1);
    }
  },
  live() {
    terminal.live("first");
    terminal.live("second, which is longer than the terminal is wide");
    terminal.out("result");
    terminal.note("note");
  },
  async stdin() {
    terminal.out(await terminal.readStdin());
  },
  async interrupted() {
    terminal.out("ready");
    await aborted();
    terminal.out("report");
  },
  async stuck() {
    terminal.out("ready");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
  async thrower() {
    const unhandled = catchUnhandled(() => interruption.abort());
    for (let count = 0; count < 3; count++) {
      setTimeout(() => {
        throw new RangeError("thrown in a timer");
      }, 10);
    }
    Promise.reject(new RangeError("rejected"));
    await aborted();
    await Bun.sleep(100);
    terminal.out(`report, ${unhandled.count} unhandled`);
  },
};

function aborted(): Promise<void> {
  return new Promise((resolve) => {
    interruption.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

await scenarios[process.argv[2] ?? ""]?.();
await terminal.finish();
if (terminal.failure !== undefined) {
  terminal.note(terminal.failure.message);
  await terminal.finish();
}
process.exit(terminal.failure === undefined ? 0 : terminal.failure.exitCode);
