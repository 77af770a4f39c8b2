// Runs with few descriptors, for descriptors_test.ts; commands and results travel over IPC.
// `listen`: serves echo, then tells what it refused for each message that comes.
// `dial <port>`: opens 200 connections to the port and tells how they ended.
import type { Failure } from "../../lib/stats/failure.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import { tcp } from "../../lib/transport/tcp.ts";
import { udp } from "../../lib/transport/udp.ts";
import { dialSettings, EchoRecorder, listenSettings, Recorder, until } from "./recorder.ts";

const [command, scheme = "tcp", portText = "0"] = process.argv.slice(2);
const transport = scheme === "udp" ? udp : tcp;
const port = Number(portText);
const endpoint: Endpoint = {
  scheme: transport.scheme,
  host: "127.0.0.1",
  port,
  lastPort: port,
  path: "/",
};

if (command === "listen") {
  const refusals: Failure[] = [];
  const server = new EchoRecorder();
  const listener = await transport.listen(endpoint, server, listenSettings(refusals));
  server.connections = listener;
  process.on("message", () => {
    process.send!({ refusals: refusals.length, first: refusals[0], open: server.openIds.length });
  });
  process.send!({ port: listener.endpoint.port });
} else {
  const count = 200;
  const client = new Recorder("dialer");
  const dialer = await transport.dial(endpoint, client, dialSettings(count));
  for (let id = 0; id < count; id++) dialer.connect(id);
  await until(() => client.openIds.length + client.total("closes") === count, "every result");
  const kinds: Record<string, number> = {};
  for (const { failure } of client.records.values()) {
    if (failure !== undefined) kinds[failure.kind] = (kinds[failure.kind] ?? 0) + 1;
  }
  const opened = client.openIds.length;
  await dialer.shutdown();
  process.send!({ opened, kinds, violations: client.violations });
  process.disconnect!();
}
