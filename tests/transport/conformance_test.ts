import { tcp } from "../../lib/transport/tcp.ts";
import { tls } from "../../lib/transport/tls.ts";
import { udp } from "../../lib/transport/udp.ts";
import { ws, wss } from "../../lib/transport/websocket.ts";
import { securePeers } from "./conformance_certificate.ts";
import { testConformance } from "./conformance_suite.ts";

const secure = await securePeers();

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

// A listener cannot send RST: the engine behind it ends the stream in order, without a close frame.
const webSocket = {
  file: "websocket.ts",
  carrier: "tcp",
  refusedKinds: ["refused"],
  resetKinds: ["reset", "closed-by-peer"],
} as const;
const noHalves = { "closes by halves": "a close frame ends both directions" };

testConformance({ name: "ws", transport: ws, ...webSocket }, noHalves);

testConformance({ name: "wss", transport: wss, ...webSocket, ...secure }, noHalves);

const noConnections = "a UDP listener has no connections";

testConformance(
  {
    name: "udp",
    transport: udp,
    file: "udp.ts",
    carrier: "udp",
    refusedKinds: ["refused"],
    resetKinds: [],
  },
  {
    "closes by halves": "datagrams have no end",
    "holds up a dialer whose peer does not read": "the kernel drops what nobody reads",
    "holds up a listener whose peer does not read": "the kernel drops what nobody reads",
    "echoes a large volume unharmed": "nothing holds back what the buffers cannot take",
    "closes after what was accepted": noConnections,
    "reports a reset": noConnections,
    "limits connections": noConnections,
    "closes idle connections": noConnections,
    "stops accepting": noConnections,
    "ends all connections at shutdown": noConnections,
  },
);
