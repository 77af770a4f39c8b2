import { test } from "bun:test";
import { testWith } from "../programs.ts";
import { assertFound, isRoot, serverAddress, TwoHosts } from "./two_hosts.ts";

const inNetwork = (...programs: string[]) => isRoot ? testWith(["ip", ...programs]) : test.skip;

inNetwork("taskset")("a ramp finds that its own generator is out of CPU", async () => {
  await using hosts = await TwoHosts.make();
  const { port } = await hosts.serve("server", "ws", [], ["taskset", "-c", "0"]);
  // The generator has a third of a core.
  const pinned = ["taskset", "-c", "1"];
  for (let i = 0; i < 2; i++) {
    hosts.start("client", [...pinned, "sh", "-c", "while :; do :; done"]);
  }
  const end = await hosts.ramp(`ws://${serverAddress}:${port}`, [
    ...["--connect-rate", "200", "--interval", "5ms", "--break-when", "response.p99>200ms"],
  ], pinned);
  assertFound(end, {
    side: "client",
    name: "CPU",
    evidence: [/^generator: 0\.\d+ of a core, waited for a CPU \d.* picked messages up .* late/],
  });
}, 60_000);
