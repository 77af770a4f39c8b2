/** The program of this folder: where it is, and how it is built. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

const folder = import.meta.dir;

/** Cargo's own setting moves it. */
const targetFolder = resolve(folder, process.env["CARGO_TARGET_DIR"] ?? "target");

/** The node by rust-libp2p, once it is built. */
export const rustNodeProgram: string = join(targetFolder, "release", "rust-libp2p-node");

/** Where cargo is, also where rustup has put it and no shell knows yet; nothing where it is not. */
export function findCargo(): string | undefined {
  const path = `${process.env["PATH"] ?? ""}:${join(homedir(), ".cargo/bin")}`;
  return Bun.which("cargo", { PATH: path }) ?? undefined;
}

/**
 * Builds the node, which takes minutes the first time and well under a second afterwards.
 *
 * @param showsProgress whether cargo's own lines go to the terminal.
 * @throws {Error} there is no cargo, or it failed.
 */
export async function buildRustNode(showsProgress: boolean): Promise<void> {
  const cargo = findCargo();
  if (cargo === undefined) {
    throw new Error(
      "cargo is not installed, and the node by rust-libp2p is built with it; " +
        "install Rust (https://rustup.rs) and try again",
    );
  }
  const child = Bun.spawn(
    [cargo, "build", "--release", "--locked", "--target-dir", targetFolder],
    { cwd: folder, stdin: "ignore", stdout: "ignore", stderr: showsProgress ? "inherit" : "pipe" },
  );
  const [exitCode, text] = await Promise.all([
    child.exited,
    child.stderr === undefined ? "" : new Response(child.stderr).text(),
  ]);
  if (exitCode !== 0 || !existsSync(rustNodeProgram)) {
    throw new Error(`cargo build failed with exit code ${exitCode}\n${text}`);
  }
}
