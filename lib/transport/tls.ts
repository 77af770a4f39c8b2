import { isIP } from "node:net";
import { UsageError } from "../errors.ts";
import { loadAuthorities, loadCertificate } from "./certificates.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { resolveTarget } from "./resolve.ts";
import { StreamDialer } from "./stream_dialer.ts";
import { StreamListener } from "./stream_listener.ts";
import type { ListenSettings, TlsDialSettings, Transport, TransportTraits } from "./transport.ts";

const traits: TransportTraits = {
  framing: "stream",
  reliable: true,
  ordered: true,
  secure: true,
  maxMessageBytes: Infinity,
};

/**
 * TLS over TCP (RFC 8446), on Bun's sockets (BoringSSL). A connection is open when its handshake is
 * complete and the certificate has been verified.
 */
export const tls: Transport = {
  scheme: "tls",
  // Async, so that what the constructor throws is a rejection.
  // deno-lint-ignore require-await
  async listen(endpoint, handlers, settings) {
    const options = listenOptions(endpoint, settings);
    return new StreamListener(endpoint, handlers, settings, traits, options);
  },
  async dial(endpoint, handlers, settings) {
    const options = dialOptions(endpoint.host, settings.tls);
    const addresses = await resolveTarget(endpoint.host, settings.sources);
    const target = { addresses, port: endpoint.port };
    return new StreamDialer(target, handlers, settings, traits, options);
  },
};

function listenOptions(endpoint: Endpoint, settings: ListenSettings): Bun.TLSOptions {
  if (settings.certificate === undefined) {
    throw new UsageError(`${formatEndpoint(endpoint)} needs a certificate and its key; got none`);
  }
  const { cert, key } = loadCertificate(settings.certificate.cert, settings.certificate.key);
  return { cert, key, ...alpnOption(settings.alpn) };
}

/**
 * What a client needs to verify the server and to be verified.
 *
 * @param host as in the endpoint: the name that is sent (SNI) and verified, unless settings say
 * otherwise. An address is verified against the addresses of the certificate and never sent
 * (RFC 6066, section 3).
 */
function dialOptions(host: string, settings: TlsDialSettings): Bun.TLSOptions {
  const { ca, certificate } = settings;
  const name = host === "" ? "localhost" : host;
  return {
    rejectUnauthorized: !settings.insecure,
    // Empty: the runtime sends no name, and verifies the address that it connects to.
    serverName: settings.servername ?? (isIP(name) === 0 ? name : ""),
    ...(ca === undefined ? {} : { ca: loadAuthorities(ca) }),
    ...(certificate === undefined ? {} : loadCertificate(certificate.cert, certificate.key)),
    ...alpnOption(settings.alpn),
  };
}

/** The protocols as a list of length-prefixed names (RFC 7301, section 3.1). */
function alpnOption(protocols: readonly string[]): { ALPNProtocols?: Uint8Array } {
  if (protocols.length === 0) return {};
  const names = protocols.map((protocol) => new TextEncoder().encode(protocol));
  const wrong = names.findIndex((name) => name.length === 0 || name.length > 255);
  if (wrong >= 0) {
    throw new UsageError(
      `ALPN protocol ${JSON.stringify(protocols[wrong])} must have 1 to 255 bytes`,
    );
  }
  return {
    ALPNProtocols: Buffer.concat(
      names.flatMap((name) => [[name.length], name])
        .map((part) => Uint8Array.from(part)),
    ),
  };
}
