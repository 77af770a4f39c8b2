import { makeCertificate } from "../../lib/transport/certificates.ts";

/** Settings of both sides for secure transports: a certificate, which every dialer verifies. */
export async function securePeers() {
  const certificate = await makeCertificate({
    names: ["localhost"],
    addresses: ["127.0.0.1", "::1"],
  });
  return {
    listen: () => Promise.resolve({ certificate }),
    dial: () => Promise.resolve({ tls: { ca: certificate.ca, insecure: false, alpn: [] } }),
  };
}
