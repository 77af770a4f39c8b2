import type { FailureKind } from "./failure.ts";

/**
 * What TLS and QUIC libraries say, and what a user can do about it; the first that fits counts. An
 * alert is what the server says (RFC 8446, section 6.2), numbered where QUIC carries it.
 */
const tlsAdvice: readonly (readonly [said: RegExp, advice: string])[] = [
  [
    /ALTNAME|(?:hostname|IP address) mismatch/i,
    "give the name that is in the certificate with --servername",
  ],
  [
    /CERTIFICATE.REQUIRED|TLS alert 116\b/i,
    "the server asks for a certificate: give one with --cert and --key",
  ],
  [
    /ALERT_(?:UNKNOWN_CA|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_[A-Z]+)|TLS alert 4[2-68]\b/,
    "the server refuses this client's certificate: give one that it trusts with --cert and --key",
  ],
  [/NO.APPLICATION.PROTOCOL/i, "offer a protocol that the server speaks with --alpn"],
  [
    /HAS.EXPIRED|NOT.YET.VALID/i,
    "renew the certificate, or accept any with --insecure",
  ],
  [
    /CERT|VERIFY.LEAF/i,
    "trust its authority with --ca, or accept any certificate with --insecure",
  ],
  [
    /WRONG_VERSION|UNEXPECTED_MESSAGE|UNEXPECTED_RECORD/,
    "what listens there does not speak TLS: name another port, or an endpoint without TLS",
  ],
];

const advice: Record<FailureKind, string> = {
  refused: "check that the server runs and that this is its port",
  reset: "the server may speak another protocol, or take no more connections",
  timeout: "check the address, the protocol and the firewalls on the way",
  dns: "check the name, or give an address",
  tls: "check that the server speaks TLS, and with which certificate",
  protocol: "name the protocol that the server speaks",
  "host-fds": "raise the limit (ulimit -n, or LimitNOFILE= of a service)",
  "host-ports": "widen net.ipv4.ip_local_port_range or use further source addresses",
  "host-memory": "free memory, or raise net.ipv4.tcp_mem and the like",
  "host-worker": "see what ended the worker, such as the kernel's log (dmesg) for want of memory",
  idle: "check that the server still runs, and how long it lets connections be idle",
  "closed-by-peer": "the server may speak another protocol, or take no more connections",
  unreachable: "check the address and the route to it",
};

/** The same for other failures. */
const specialAdvice: Partial<
  Record<FailureKind, readonly (readonly [said: RegExp, advice: string])[]>
> = {
  "closed-by-peer": [
    [/\b1009\b/, "send smaller messages (--size), or let the server take larger ones"],
  ],
  "host-ports": [
    [/^no source address/, "give a wider range of --source-ports, or further addresses (--source)"],
    [/^EADDRNOTAVAIL bind /, "give --source addresses that this host has (ip address)"],
  ],
  unreachable: [[/^no route from /, "give a --source address that leads to the target"]],
};

/**
 * What a user can do about connections that failed, as a clause without a full stop.
 *
 * @param detail the native error of one of them.
 */
export function adviceFor(kind: FailureKind, detail: string): string {
  const isOfTls = kind === "tls" || detail.includes("TLS alert");
  const known = isOfTls ? tlsAdvice : specialAdvice[kind] ?? [];
  return known.find(([said]) => said.test(detail))?.[1] ?? advice[kind];
}
