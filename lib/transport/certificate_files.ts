import { readFileSync } from "node:fs";
import { FileError, messageOf } from "../errors.ts";
import { loadAuthorities, loadCertificate } from "./certificates.ts";
import type { CertificatePair } from "./transport.ts";

/**
 * The authorities of `--ca`.
 *
 * @throws {FileError} the file cannot be read or used.
 */
export function readAuthorities(caFile: string): string {
  return ofOption(`--ca ${caFile}`, () => loadAuthorities(readText(caFile, "--ca")));
}

/**
 * The certificate of `--cert` with the key of `--key`.
 *
 * @throws {FileError} a file cannot be read or used.
 */
export function readCertificate(certFile: string, keyFile: string): CertificatePair {
  return ofOption(
    `--cert ${certFile} --key ${keyFile}`,
    () => loadCertificate(readText(certFile, "--cert"), readText(keyFile, "--key")),
  );
}

/** Says with an error of a file's content which option named the file. */
function ofOption<T>(option: string, load: () => T): T {
  try {
    return load();
  } catch (error) {
    const message = messageOf(error);
    if (!(error instanceof FileError) || message.startsWith("--")) throw error;
    throw new FileError(`${option}: ${message}`, { cause: error });
  }
}

/** The text of a file that an option names. */
export function readText(path: string, option: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new FileError(`${option} ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
