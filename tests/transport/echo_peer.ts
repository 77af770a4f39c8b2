// An echo server in a process of its own, for tests that kill it:
// echo_peer.ts <file in lib/transport> <scheme> <settings as JSON>. Prints its port.
import type { Transport } from "../../lib/transport/transport.ts";
import { EchoRecorder, listenSettings } from "./recorder.ts";

const [file = "", scheme = "", settingsJson = "{}"] = process.argv.slice(2);
const module = await import(`../../lib/transport/${file}`) as Record<string, Transport>;
const server = new EchoRecorder();
const listener = await module[scheme]!.listen(
  { scheme: module[scheme]!.scheme, host: "127.0.0.1", port: 0, lastPort: 0, path: "/" },
  server,
  listenSettings([], JSON.parse(settingsJson)),
);
server.connections = listener;
console.log(listener.endpoint.port);
