import { SourceTable, type SourceTableSettings } from "../host/source_table.ts";
import { readAuthorities, readCertificate } from "../transport/certificate_files.ts";
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
      ...(caFile === undefined ? {} : { ca: readAuthorities(caFile) }),
      ...(servername === undefined ? {} : { servername }),
      ...(certFile === undefined || keyFile === undefined
        ? {}
        : { certificate: readCertificate(certFile, keyFile) }),
    },
  };
}
