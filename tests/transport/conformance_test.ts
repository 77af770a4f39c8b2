import { makeCertificate } from "../../lib/transport/certificates.ts";
import { tcp } from "../../lib/transport/tcp.ts";
import { tls } from "../../lib/transport/tls.ts";
import { testConformance } from "./conformance_suite.ts";

/** One for all secure transports; verified by every dialer. */
const certificate = await makeCertificate({
  names: ["localhost"],
  addresses: ["127.0.0.1", "::1"],
});
const secure = {
  listen: () => Promise.resolve({ certificate }),
  dial: () => Promise.resolve({ tls: { ca: certificate.ca, insecure: false, alpn: [] } }),
};

testConformance({
  name: "tcp",
  transport: tcp,
  file: "tcp.ts",
  carrier: "tcp",
  refusedKinds: ["refused"],
  resetKinds: ["reset"],
});

testConformance({
  name: "tls",
  transport: tls,
  file: "tls.ts",
  carrier: "tcp",
  ...secure,
  refusedKinds: ["refused"],
  resetKinds: ["reset"],
});
