import { test } from "bun:test";
import assert from "node:assert/strict";
import { until, withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

test("a router that stops says GOODBYE, and refuses who comes back meanwhile", async () => {
  await withRouter(async ({ router, ws, rs }) => {
    const client = await RawClient.join(ws);
    // It does not answer GOODBYE, so that the router waits for it.
    const stopped = router.stop();
    await until(() => client.received.some(([code]) => code === 6));
    for (const url of [ws, rs]) {
      const { hostname, port } = new URL(url.replace(/^(ws|rs)/, "http"));
      const refused = Bun.connect({ hostname, port: Number(port), socket: { data() {} } })
        .then((socket) => {
          socket.terminate();
          return false;
        }, () => true);
      assert.equal(await refused, true, url);
    }
    await stopped;
    client.close();
  });
});
