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

/** Nothing came for this long: the connection is lost (RFC 9000, section 10.1). */
const defaultIdleTimeoutMs = 30_000;
/**
 * A connection on which nothing moves sends a PING at least this often. 10,000 idle ones send 2,000 a
 * second, which takes each side about a tenth of a core; where messages flow there are none.
 */
const longestKeepAliveMs = 5000;
/** PINGs in an idle timeout: some may be lost. */
const pingsPerTimeout = 6;

/** QUIC with another idle timeout than `quic`, the one for everybody, where settings give none. */
export function makeQuic(idleTimeoutMs: number): Transport {
  return {
    scheme: "quic",
    async listen(endpoint, handlers, settings) {
      const { certificate } = settings;
      if (certificate === undefined) {
        throw new UsageError(
          `${formatEndpoint(endpoint)} needs a certificate and its key; got none`,
        );
      }
      const options = serverOptions(certificate, settings, idleTimeoutMs);
      return await QuicListener.listenOn(nativeQuic(), endpoint, handlers, settings, options);
    },
    async dial(endpoint, handlers, settings) {
      const options = clientOptions(
        endpoint.host,
        settings,
        settings.idleTimeoutMs ?? idleTimeoutMs,
      );
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
 * - A port at which nobody listens shows at once to new connections, and to open ones 1 to 2 s after
 *   they sent something, or their next PING: where ICMP says so, see `RemotePort`. Else a server that
 *   vanished shows when the idle timeout has passed; so does one that was killed and was back within
 *   half a second, because it does not know its sessions and cannot say so.
 * - A client that vanished is told from one that closed by the default idle timeout: where its own is
 *   shorter, the listener may say `closed-by-peer` of it.
 * - `pause` does not hold up the peer: see `QuicConnection`.
 * - An endpoint whose host is an address is verified by the addresses in the certificate; the name
 *   that is sent (SNI) is then `localhost`, because the runtime always sends one.
 * - Packets that belong to no session cost time in proportion to all sessions of the process.
 * - A server wants a port for every 50 to 100 connections that talk: 10,000 with a message of 1 KiB a
 *   second each lose some on 32 ports, have a p99 of 0.2 s on 64 and of 0.05 s on 128 (2 cores).
 */
export const quic: Transport = makeQuic(defaultIdleTimeoutMs);

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
  idleTimeoutMs: number,
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
    quietMs: idleTimeoutMs,
  };
}

function clientOptions(
  host: string,
  settings: DialSettings,
  idleTimeoutMs: number,
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
      keepAlive: Math.min(longestKeepAliveMs, Math.floor(idleTimeoutMs / pingsPerTimeout)),
      transportParams: {
        maxIdleTimeout: Math.ceil(idleTimeoutMs / 1000),
        initialMaxStreamsBidi: 0,
        initialMaxStreamsUni: 1, // a listener's, to show that the connection is in use
      },
    },
    insecure,
    verifiedAddress: isAddress ? name : undefined,
    quietMs: idleTimeoutMs,
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
