import { createPrivateKey } from "node:crypto";
import { isIP } from "node:net";
import { UsageError } from "../errors.ts";
import { loadAuthorities, loadCertificate } from "./certificates.ts";
import { formatEndpoint } from "./endpoint.ts";
import { type QuicClientOptions, QuicDialer } from "./quic_dialer.ts";
import { QuicListener, type QuicServerOptions } from "./quic_listener.ts";
import { nativeQuic } from "./quic_native.ts";
import { resolveTarget } from "./resolve.ts";
import type { CertificatePair, DialSettings, ListenSettings, Transport } from "./transport.ts";

const defaultProtocol = "echo";

/** How soon a peer that vanished is noticed, and what that costs. */
export interface QuicTiming {
  /** Nothing came for this long: the connection is lost (RFC 9000, section 10.1). */
  readonly idleTimeoutMs: number;
  /** A connection on which nothing moves sends a PING this often. */
  readonly keepAliveMs: number;
}

/**
 * 10,000 idle connections send 2,000 PINGs a second, which takes each side about a tenth of a core;
 * where messages flow there are none.
 */
const defaultTiming: QuicTiming = { idleTimeoutMs: 30_000, keepAliveMs: 5000 };

/** QUIC with a timing of its own; `quic` is the one for everybody. */
export function makeQuic(timing: QuicTiming): Transport {
  return {
    scheme: "quic",
    async listen(endpoint, handlers, settings) {
      const { certificate } = settings;
      if (certificate === undefined) {
        throw new UsageError(
          `${formatEndpoint(endpoint)} needs a certificate and its key; got none`,
        );
      }
      const options = serverOptions(certificate, settings, timing);
      return await QuicListener.listenOn(nativeQuic(), endpoint, handlers, settings, options);
    },
    async dial(endpoint, handlers, settings) {
      const options = clientOptions(endpoint.host, settings, timing);
      const { port, lastPort } = endpoint;
      const addresses = await resolveTarget(endpoint.host, settings.sources);
      const target = { addresses, port, lastPort };
      return new QuicDialer(nativeQuic(), target, handlers, settings, options);
    },
  };
}

/**
 * QUIC (RFC 9000, 9001, 9221), on the runtime's `node:quic` (lsquic, BoringSSL).
 *
 * - A killed server shows when the idle timeout has passed, a closed port at once where ICMP says so.
 * - `pause` does not hold up the peer: see `QuicConnection`.
 * - An endpoint whose host is an address is verified by the addresses in the certificate; the name
 *   that is sent (SNI) is then `localhost`, because the runtime always sends one.
 * - Packets that belong to no session cost time in proportion to all sessions of the process.
 * - A server wants a port for every 50 to 100 connections that talk: 10,000 with a message of 1 KiB a
 *   second each lose some on 32 ports, have a p99 of 0.2 s on 64 and of 0.05 s on 128 (2 cores).
 */
export const quic: Transport = makeQuic(defaultTiming);

/**
 * An authority that vouches for nobody; its key was never kept. Stands in where every certificate is
 * accepted, so that no session loads the authorities of the system: 74 KB a session instead of 480,
 * and five times as many connects per second.
 */
const nobody = `-----BEGIN CERTIFICATE-----
MIIBejCCAR+gAwIBAgIUCfxxAHjrBDDDbfp9Y4/e6MoyZvowCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMTAwMjcwMVoYDzIxMjYxMDI4MDAy
NzAxWjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATeDRcisSNDEIl+2TBRqxHQJdFGnbPFVEbURocC6UilRJb+OT2uwdlh3Aa1Q+aH
nxrTUUj278W+HVOxayuCE6Xwo1MwUTAdBgNVHQ4EFgQUjmSXhtxcbfatJgQP5Ni5
AUYU12EwHwYDVR0jBBgwFoAUjmSXhtxcbfatJgQP5Ni5AUYU12EwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAqPpvH0KD3EP/QxUPF2xFm9kzK2gn
SYKI3+jTT/WYJQkCIQDoMA+knnHHFTfRVMPKIT83W3WiIGR9PdaycnN4cYznbA==
-----END CERTIFICATE-----
`;

function serverOptions(
  certificate: CertificatePair,
  settings: ListenSettings,
  timing: QuicTiming,
): QuicServerOptions {
  const { cert, key } = loadCertificate(certificate.cert, certificate.key);
  const chain = Buffer.from(cert);
  return {
    session: {
      alpn: protocols(settings.alpn),
      sni: { "*": { keys: [createPrivateKey(key)], certs: [chain] } },
      // Without it, each context gets all authorities of the system.
      ca: [chain],
      enableEarlyData: false, // its data would come before `open`
      // The client decides; the idle timeout of the settings is kept by the listener's own sweep.
      transportParams: { maxIdleTimeout: 0, initialMaxStreamsBidi: 1, initialMaxStreamsUni: 0 },
    },
    quietMs: timing.idleTimeoutMs,
  };
}

function clientOptions(
  host: string,
  settings: DialSettings,
  timing: QuicTiming,
): QuicClientOptions {
  const { insecure, servername, ca, certificate, alpn } = settings.tls;
  const name = servername ?? (host === "" ? "localhost" : host);
  const isAddress = isIP(name) !== 0;
  const [protocol, ...others] = protocols(alpn);
  if (others.length > 0) {
    throw new UsageError(
      `QUIC offers one ALPN protocol; got ${alpn.length} (${alpn.join(", ")})`,
    );
  }
  // Each session parses its authorities anew, 140 of them where it is left to the system's.
  const authorities = ca !== undefined ? loadAuthorities(ca) : insecure ? nobody : undefined;
  const own = certificate && loadCertificate(certificate.cert, certificate.key);
  return {
    session: {
      alpn: protocol!,
      ...(authorities === undefined ? {} : { ca: [Buffer.from(authorities)] }),
      ...(own === undefined
        ? {}
        : { certs: [Buffer.from(own.cert)], keys: [createPrivateKey(own.key)] }),
      ...(isAddress ? {} : { servername: name }),
      verifyPeer: insecure || isAddress ? "manual" : "auto",
      handshakeTimeout: Math.max(1, Math.ceil(settings.connectTimeoutMs)),
      keepAlive: timing.keepAliveMs,
      transportParams: {
        maxIdleTimeout: Math.ceil(timing.idleTimeoutMs / 1000),
        initialMaxStreamsBidi: 0,
        initialMaxStreamsUni: 1, // a listener's, to show that the connection is in use
      },
    },
    insecure,
    verifiedAddress: isAddress ? name : undefined,
    quietMs: timing.idleTimeoutMs,
  };
}

/** @throws {UsageError} a name that TLS or this transport does not know how to speak. */
function protocols(alpn: readonly string[]): readonly string[] {
  for (const name of alpn) {
    const lengthBytes = Buffer.byteLength(name);
    if (lengthBytes === 0 || lengthBytes > 255) {
      throw new UsageError(`ALPN protocol ${JSON.stringify(name)} must have 1 to 255 bytes`);
    }
    if (name === "h3" || name.startsWith("h3-")) {
      throw new UsageError(
        `ALPN protocol ${name} is HTTP/3; this transport speaks plain streams and datagrams`,
      );
    }
  }
  return alpn.length === 0 ? [defaultProtocol] : alpn;
}
