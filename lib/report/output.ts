import { closeSync, openSync, writeSync } from "node:fs";
import { FileError, messageOf } from "../errors.ts";
import type { Io } from "./io.ts";

/** Where bytes of a result go: a file, or stdout for `-`. */
export interface Output {
  /**
   * Writes all of the bytes before it returns; their memory can then be used again.
   *
   * @throws {FileError} the disk is full, the pipe was closed …
   */
  write(bytes: Uint8Array): void;
  /** Closes the file. Writing to it afterwards is an error; closing it again is not. */
  close(): void;
}

/**
 * Opens a file for writing, and empties it if it exists. Done before a run, it shows at once whether
 * the result can be kept.
 *
 * @param path a file name, or `-` for stdout.
 * @throws {FileError} the file cannot be written.
 */
export function openOutput(path: string, io: Io): Output {
  if (path === "-") return { write: (bytes) => io.write(bytes), close: () => {} };
  const fd = attempt(path, () => openSync(path, "w"));
  let isOpen = true;
  return {
    write(bytes) {
      if (!isOpen) throw new FileError(`cannot write to ${path}: it is closed already`);
      attempt(path, () => {
        for (let offset = 0; offset < bytes.length;) {
          offset += writeSync(fd, bytes, offset, bytes.length - offset);
        }
      });
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      attempt(path, () => closeSync(fd));
    },
  };
}

function attempt<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw new FileError(
      `cannot write ${JSON.stringify(path)}: ${messageOf(cause)}; name a file that can be written`,
      { cause },
    );
  }
}
