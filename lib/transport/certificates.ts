import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { FileError, messageOf, UsageError } from "../errors.ts";
import type { CertificatePair } from "./transport.ts";

/** A certificate with its key, and the authority that vouches for it. */
export interface MadeCertificate extends CertificatePair {
  /** PEM of the authority: what clients are given to trust. */
  readonly ca: string;
}

export interface CertificateSubject {
  /** DNS names; the first is the common name. */
  readonly names: readonly string[];
  /** IPv4 and IPv6 addresses, without brackets. */
  readonly addresses: readonly string[];
}

const signing = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 24 * 60 * 60 * 1000;
const validDays = 365;

/**
 * Makes an authority and a certificate signed by it (ECDSA P-256, RFC 5280; SANs by RFC 6125), valid
 * from yesterday, so that clocks may differ, for a year. Two certificates, because rustls refuses an
 * authority as a server's certificate and lsquic one that signed itself. The authority's key is not
 * kept: it signs this one certificate. Good for servers and for clients (mutual TLS).
 *
 * The authority's certificate is no part of what a server sends: who verifies has it (RFC 8446,
 * section 4.4.2), and whoever does not would only hold 3 KB more for each connection.
 *
 * @returns PEM: `cert` is the certificate alone, `key` is PKCS#8.
 * @throws {UsageError} there is neither name nor address, or an address is none.
 */
export async function makeCertificate(subject: CertificateSubject): Promise<MadeCertificate> {
  const names = [...new Set(subject.names)];
  // A zone (`fe80::1%eth0`) means something on one host only and is no part of the address.
  const addresses = [...new Set(subject.addresses.map((address) => address.split("%", 1)[0]!))];
  const wrong = addresses.find((address) => isIP(address) === 0);
  if (wrong !== undefined) {
    throw new UsageError(`${JSON.stringify(wrong)} is not an IPv4 or IPv6 address`);
  }
  const commonName = names[0] ?? addresses[0];
  if (commonName === undefined) {
    throw new UsageError("a certificate needs at least one name or address; got none");
  }
  // Loaded when it is needed: it takes 150 ms from source, and asks for the other one first.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const authorityKeys = await crypto.subtle.generateKey(signing, false, ["sign", "verify"]);
  const keys = await crypto.subtle.generateKey(signing, true, ["sign", "verify"]);
  const validity = {
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + validDays * dayMs),
  };
  const { KeyUsageFlags, ExtendedKeyUsage } = x509;
  // Two authorities of one name but different keys would confuse whoever trusts both.
  const authorityName = [
    { CN: [`holdfast authority ${crypto.randomUUID().slice(0, 8)}`] },
  ];
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: serialNumber(),
    name: authorityName,
    keys: authorityKeys,
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    ...validity,
    serialNumber: serialNumber(),
    // A common name has at most 64 characters (RFC 5280, appendix A); clients look at the SANs.
    subject: [{ CN: [commonName.slice(0, 64)] }],
    issuer: authorityName,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        ExtendedKeyUsage.serverAuth,
        ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: "dns" as const, value })),
        ...addresses.map((value) => ({ type: "ip" as const, value })),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    ca: `${authority.toString("pem")}\n`,
    cert: `${leaf.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}

/** 16 bytes in hexadecimal, positive and without a leading zero byte (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toHex();
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Checks a certificate (with its chain, leaf first) and its key before they are used.
 *
 * @throws {FileError} one of them is not PEM, the key is another certificate's, or the certificate
 * is expired or not valid yet.
 */
export function loadCertificate(certPem: string, keyPem: string): CertificatePair {
  const [leaf] = parseCertificates(certPem, "the certificate");
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPem);
  } catch (cause) {
    throw new FileError(
      `the key is not an unencrypted PEM private key (${messageOf(cause)}); ` +
        `it must hold a "BEGIN PRIVATE KEY" block`,
      { cause },
    );
  }
  if (!leaf!.checkPrivateKey(key)) {
    throw new FileError(
      `the key does not belong to the certificate of ${nameOf(leaf!)}; ` +
        `give the key that it was made for, and the certificate of the server first in its file`,
    );
  }
  const now = Date.now();
  if (Date.parse(leaf!.validTo) < now) {
    throw new FileError(
      `the certificate of ${nameOf(leaf!)} expired on ${leaf!.validTo}; give a valid one`,
    );
  }
  if (Date.parse(leaf!.validFrom) > now) {
    throw new FileError(
      `the certificate of ${nameOf(leaf!)} is valid from ${leaf!.validFrom} on only; ` +
        `check this host's clock`,
    );
  }
  return { cert: certPem, key: keyPem };
}

/**
 * Checks the authorities that a client is told to trust.
 *
 * @throws {FileError} they are not PEM certificates.
 */
export function loadAuthorities(caPem: string): string {
  parseCertificates(caPem, "the authority");
  return caPem;
}

function parseCertificates(pem: string, what: string): X509Certificate[] {
  const blocks = pem.match(pemCertificate) ?? [];
  if (blocks.length === 0) {
    throw new FileError(`${what} is not PEM; it must hold a "BEGIN CERTIFICATE" block`);
  }
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new FileError(`${what} is not a certificate that can be read: ${messageOf(cause)}`, {
        cause,
      });
    }
  });
}

function nameOf(certificate: X509Certificate): string {
  const name = certificate.subjectAltName ?? certificate.subject ?? "nobody";
  return JSON.stringify(name.replaceAll("\n", ", "));
}
