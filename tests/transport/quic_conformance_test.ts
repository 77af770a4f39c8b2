import { makeQuic } from "../../lib/transport/quic.ts";
import { securePeers } from "./conformance_certificate.ts";
import { testConformance } from "./conformance_suite.ts";

const secure = await securePeers();

// Notices a vanished peer, and gives up on garbage, sooner than `quic` itself.
const hastyQuic = makeQuic(5000);
const quicSubject = {
  transport: hastyQuic,
  file: "quic.ts",
  carrier: "udp",
  listen: secure.listen,
  refusedKinds: ["refused"],
  resetKinds: ["reset"],
  // One port: what a packet costs grows with the sessions of its endpoint.
  connections: 300,
  noticeWithinMs: 60_000,
} as const;
const noBackpressure = {
  "holds up a dialer whose peer does not read": "the runtime reads whatever comes",
  "holds up a listener whose peer does not read": "the runtime reads whatever comes",
};

testConformance({
  ...quicSubject,
  name: "quic",
  dial: async () => ({ ...(await secure.dial()), connectTimeoutMs: 2000 }),
}, noBackpressure);

testConformance(
  {
    ...quicSubject,
    name: "quic datagrams",
    dial: async () => ({ ...(await secure.dial()), connectTimeoutMs: 2000, datagrams: true }),
  },
  { ...noBackpressure, "closes by halves": "datagrams have no end" },
);
