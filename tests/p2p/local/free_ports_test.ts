import { test } from "bun:test";
import assert from "node:assert/strict";
import { ephemeralPorts } from "../../../lib/host/limits.ts";
import { freePorts } from "../../../lib/p2p/local/free_ports.ts";

test("freePorts() finds ports that can be bound, and that no outgoing connection gets", () => {
  const kernels = ephemeralPorts();
  const taken: Bun.TCPSocketListener[] = [];
  try {
    for (let round = 0; round < 5; round++) {
      const ports = freePorts(40, "127.0.0.1");
      assert.equal(new Set(ports).size, 40);
      for (const port of ports) {
        assert.ok(port >= 10_000 && port <= 65_535);
        assert.ok(kernels === undefined || port < kernels.first || port > kernels.last);
        taken.push(Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }));
      }
    }
  } finally {
    for (const listener of taken) listener.stop(true);
  }
});
