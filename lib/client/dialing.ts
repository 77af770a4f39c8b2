import { readFileSync } from "node:fs";
import { FileError, messageOf } from "../errors.ts";
import { SourceTable, type SourceTableSettings } from "../host/source_table.ts";
import { loadAuthorities, loadCertificate } from "../transport/certificates.ts";
import type { DialSettings } from "../transport/transport.ts";
import type { ClientSettings } from "./options.ts";

/**
 * What the transport needs to know, with the files read.
 *
 * @param sources what connections start from; where it is left out, the kernel chooses.
 * @throws {FileError} a certificate or a key cannot be read or used.
 */
export function dialSettings(
  settings: ClientSettings,
  sources: SourceTableSettings | undefined,
): DialSettings {
  const { caFile, certFile, keyFile, servername } = settings;
  return {
    capacity: settings.connections,
    connectTimeoutMs: settings.connectTimeoutMs,
    connectionsPerSocket: settings.connectionsPerSocket,
    datagrams: settings.datagrams,
    idleTimeoutMs: settings.idleTimeoutMs,
    // Answers have the size of their messages; DNS answers are below 64 KiB.
    maxMessageBytes: Math.max(2 * settings.sizeBytes, 65_536),
    ...(sources === undefined ? {} : { sources: new SourceTable(sources) }),
    tls: {
      insecure: settings.insecure,
      alpn: settings.alpn,
      ...(caFile === undefined ? {} : {
        ca: ofOption(`--ca ${caFile}`, () => loadAuthorities(readText(caFile, "--ca"))),
      }),
      ...(servername === undefined ? {} : { servername }),
      ...(certFile === undefined || keyFile === undefined ? {} : {
        certificate: ofOption(
          `--cert ${certFile} --key ${keyFile}`,
          () => loadCertificate(readText(certFile, "--cert"), readText(keyFile, "--key")),
        ),
      }),
    },
  };
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
