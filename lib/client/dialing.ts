import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { FileError, messageOf } from "../errors.ts";
import { SourcePorts } from "../host/source_ports.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { loadAuthorities, loadCertificate } from "../transport/certificates.ts";
import { resolveHost } from "../transport/resolve.ts";
import type { DialSettings, SourceAddresses } from "../transport/transport.ts";
import type { ClientSettings } from "./options.ts";

/**
 * What the transport needs to know, with the files read.
 *
 * @throws {FileError} a certificate or a key cannot be read or used.
 * @throws {TargetUnreachableError} the host does not resolve.
 */
export async function dialSettings(
  endpoint: Endpoint,
  settings: ClientSettings,
): Promise<DialSettings> {
  const { caFile, certFile, keyFile, servername } = settings;
  const sources = await sourcePorts(endpoint, settings);
  return {
    capacity: settings.connections,
    connectTimeoutMs: settings.connectTimeoutMs,
    connectionsPerSocket: settings.connectionsPerSocket,
    datagrams: settings.datagrams,
    // Answers have the size of their messages; DNS answers are below 64 KiB.
    maxMessageBytes: Math.max(2 * settings.sizeBytes, 65_536),
    ...(sources === undefined ? {} : { sources }),
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

/** The table of `--source-ports`, on whatever address the route to the target has. */
async function sourcePorts(
  endpoint: Endpoint,
  settings: ClientSettings,
): Promise<SourceAddresses | undefined> {
  if (settings.sourcePorts === undefined) return undefined;
  const { first, last } = settings.sourcePorts;
  const [target = ""] = await resolveHost(endpoint.host);
  const address = isIPv6(target) ? "::" : "0.0.0.0";
  return new SourcePorts({
    addresses: [address],
    firstPort: first,
    lastPort: last,
    protocol: endpoint.scheme === "udp" ? "udp" : "tcp",
  });
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
