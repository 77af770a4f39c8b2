import { randomBytes } from "node:crypto";
import { existsSync, linkSync, unlinkSync, writeFileSync } from "node:fs";
import { FileError, messageOf } from "../../errors.ts";
import { SigningKey } from "../cryptosign/cryptosign.ts";
import { readSigningKey } from "../cryptosign/signing_key_file.ts";

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
  if (!existsSync(file)) return undefined;
  return new SigningKey(readSigningKey(file, "the key of links"));
}
