import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { FileError, messageOf } from "../../errors.ts";
import { SigningKey } from "./cryptosign.ts";

/**
 * The key with which this router logs in at others: 32 bytes in hex, in a file that only its owner can
 * read. Where there is no such file, one is made; routers that start together agree on one.
 *
 * @throws {FileError} it cannot be read or made, or is no key.
 */
export function linkKey(file: string): SigningKey {
  const known = read(file);
  if (known !== undefined) return known;
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    try {
      // Either the whole file appears under its name, or another router's was there before.
      linkSync(draft, file);
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    } finally {
      unlinkSync(draft);
    }
  } catch (cause) {
    throw new FileError(
      `cannot make the key of links, ${file}: ${messageOf(cause)}; name one with --link-key`,
      { cause },
    );
  }
  return read(file)!;
}

function read(file: string): SigningKey | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return undefined;
    throw new FileError(`cannot read the key of links, ${file}: ${messageOf(cause)}`, { cause });
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new FileError(`${file} has no key: 64 hex digits (32 bytes) were expected`);
  }
  return new SigningKey(Buffer.from(text, "hex"));
}
