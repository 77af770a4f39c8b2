// A client in a process of its own, for the test that kills it:
// quic_client_peer.ts <port> <authorities as PEM>. Says `ready` and goes on sending.
import { quic } from "../../lib/transport/quic.ts";
import { dialSettings, pattern, Recorder, until } from "./recorder.ts";

const [port = "", ca = ""] = process.argv.slice(2);
const endpoint = {
  scheme: "quic",
  host: "127.0.0.1",
  port: Number(port),
  lastPort: Number(port),
  path: "/",
} as const;
const client = new Recorder("dialer");
const settings = dialSettings(4, { tls: { ca, insecure: false, alpn: [] } });
const dialer = await quic.dial(endpoint, client, settings);
for (const id of [0, 1, 2, 3]) dialer.connect(id);
await until(() => client.openIds.length === 4, "open");
const message = pattern(100);
setInterval(() => {
  for (const id of client.openIds) dialer.send(id, message, 0, 100, 100);
}, 5);
await until(() => client.total("bytes") > 1000, "echo");
console.log("ready");
