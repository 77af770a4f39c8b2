/** `dist/holdfast`, which several test files use, some of them at the same time. */
import { mkdirSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const root = join(import.meta.dir, "..");
const distribution = join(root, "dist");
const name = process.platform === "win32" ? "holdfast.exe" : "holdfast";

/** The executable; there once it was compiled. */
export const executable = join(distribution, name);

/** Who compiles, as a link to the id of that process. */
const lock = join(distribution, "compiling");
const lockedWithinMs = 150_000;

/** Does something with `dist/` while nobody else compiles. */
export async function alone<T>(use: () => T | Promise<T>): Promise<T> {
  mkdirSync(distribution, { recursive: true });
  const deadlineMs = performance.now() + lockedWithinMs;
  while (!takeLock()) {
    if (performance.now() > deadlineMs) throw new Error(`${lock} was not given back`);
    await Bun.sleep(50);
  }
  try {
    return await use();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Compiles the executable, where it is older than what it is made of. */
export async function compile(): Promise<void> {
  await alone(async () => {
    if (modifiedMs(executable) > newestSourceMs()) return;
    const child = Bun.spawn([join(root, "compile.sh")], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: 120_000,
      killSignal: "SIGKILL",
    });
    const [err, exitCode] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (exitCode !== 0) throw new Error(`compile.sh ended with ${exitCode}: ${err}`);
  });
}

function takeLock(): boolean {
  try {
    symlinkSync(String(process.pid), lock);
    return true;
  } catch {
    // Who was killed in the middle of it gives nothing back.
    if (hasOwnerEnded()) rmSync(lock, { force: true });
    return false;
  }
}

function hasOwnerEnded(): boolean {
  let owner: number;
  try {
    owner = Number(readlinkSync(lock));
  } catch {
    return false; // it was given back just now
  }
  try {
    process.kill(owner, 0);
    return false;
  } catch {
    return true;
  }
}

function newestSourceMs(): number {
  const files = [...new Bun.Glob("lib/**").scanSync({ cwd: root, onlyFiles: false })];
  const all = [...files, "lib", "deno.json", "deno.lock", "compile.sh", "node_modules"];
  return Math.max(...all.map((path) => modifiedMs(join(root, path))));
}

/** 0 where there is no such file. */
function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
