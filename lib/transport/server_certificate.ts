import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { FileError, messageOf } from "../errors.ts";
import { readCertificate } from "./certificate_files.ts";
import { type CertificateSubject, type MadeCertificate, makeCertificate } from "./certificates.ts";
import type { CertificatePair } from "./transport.ts";

/** What the options say about the certificate of a server. */
export interface CertificateSettings {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly writeCertDirectory: string | undefined;
}

/**
 * The certificate of secure endpoints: the one that was brought, or one made for the names and
 * addresses of this host and for `hosts`.
 *
 * @param hosts what the endpoints listen on; an empty one stands for every address.
 * @throws {FileError} a file cannot be read, written or used.
 */
export async function serverCertificate(
  settings: CertificateSettings,
  hosts: readonly string[],
): Promise<CertificatePair> {
  const { certFile, keyFile, writeCertDirectory } = settings;
  if (certFile !== undefined && keyFile !== undefined) return readCertificate(certFile, keyFile);
  const made = await makeCertificate(subjectOf(hosts));
  if (writeCertDirectory !== undefined) writeCertificate(writeCertDirectory, made);
  return made;
}

function subjectOf(hosts: readonly string[]): CertificateSubject {
  const named = hosts.filter((host) => host !== "");
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return {
    // A host may be called what no DNS name can be; its addresses still serve.
    names: [hostname(), "localhost", ...named.filter((host) => isIP(host) === 0)]
      .filter((name) => /^[a-z0-9_.-]+$/i.test(name)),
    addresses: [
      "127.0.0.1",
      "::1",
      ...interfaces.map(({ address }) => address),
      ...named.filter((host) => isIP(host) !== 0),
    ],
  };
}

/** Writes `ca.pem`, `cert.pem` and `key.pem` (for its owner only), and replaces earlier ones. */
function writeCertificate(directory: string, { ca, cert, key }: MadeCertificate): void {
  const caFile = join(directory, "ca.pem");
  const keyFile = join(directory, "key.pem");
  if (existsSync(keyFile) && !isMadeHere(caFile)) {
    throw new FileError(
      `--write-cert ${directory}: ${keyFile} is there already and not of holdfast's making; ` +
        `name another directory`,
    );
  }
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(caFile, ca);
    writeFileSync(join(directory, "cert.pem"), cert);
    rmSync(keyFile, { force: true }); // an existing file would keep its mode
    writeFileSync(keyFile, key, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new FileError(
      `--write-cert ${directory} cannot be written: ${messageOf(cause)}; ` +
        `name a directory that can be`,
      { cause },
    );
  }
}

/** Whether an authority was made by `makeCertificate`: only such ones may be replaced. */
function isMadeHere(caFile: string): boolean {
  try {
    return new X509Certificate(readFileSync(caFile)).subject.startsWith("CN=holdfast authority ");
  } catch {
    return false;
  }
}
