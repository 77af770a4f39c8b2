import assert from "node:assert/strict";
import { evaluated, startBrowser } from "../../interop/browser.ts";
import { testWith } from "../../programs.ts";
import { networkView } from "../../../lib/p2p/local/network_view.ts";
import { serveStats } from "../../../lib/report/http.ts";
import { twoNodes } from "../local/sample_network.ts";
import { ServedNodes } from "./served_nodes.ts";

testWith(["chromium"])("the page of a node shows it in a browser", async () => {
  await using served = await ServedNodes.start();
  await served.begin();
  const { program, debuggerUrl } = await startBrowser();
  await using _browser = program;
  const text = await evaluated(
    debuggerUrl,
    served.servers[1]!.url,
    "document.querySelectorAll('canvas').length === 3 && document.querySelector('#verdict')" +
      " ? document.body.innerText : ''",
  );
  assert.match(text, /^holdfast p2p node 1 of 3, gossipsub\b/, text);
  assert.match(text, /^live$/m, text);
  assert.match(text, /^peers\n2\nof 2$/m, text);
  assert.match(text, /^Delivery time/m, text);
  assert.match(text, /^delivery\t[\d,]+\t/m, text);
  assert.match(text, /^Events: connections_established \d/m, text);
  // Both other nodes, with the offsets of their clocks.
  assert.match(text, /^0\t[\d,]+\t.* [µm]s$/m, text);
  assert.match(text, /^2\t[\d,]+\t.* [µm]s$/m, text);
}, 60_000);

testWith(["chromium"])("the page of a network shows it in a browser", async () => {
  let elapsedMs = 10_000;
  const view = networkView(() => twoNodes({ elapsedMs: elapsedMs += 1_000 }));
  const server = serveStats({ hostname: "127.0.0.1", port: 0, view });
  try {
    const { program, debuggerUrl } = await startBrowser();
    await using _browser = program;
    const text = await evaluated(
      debuggerUrl,
      server.url,
      "document.querySelectorAll('canvas').length === 3 && document.querySelector('#verdict')" +
        " ? document.body.innerText : ''",
    );
    assert.match(text, /^holdfast p2p network of 2, gossipsub, all\b/, text);
    assert.match(text, /^nodes up\n1\nof 2$/m, text);
    assert.match(text, /^lost\n5\n1 unknown$/m, text);
    assert.match(text, /^1\tkilled\t2\t/m, text);
    assert.match(text, /^1\tyes\t2\.000 s\t4\.000 s\t4\.101 s\t–\t2\t1\t12\tSIGKILL$/m, text);
    assert.match(text, /^100 %\t80\t5\t1\t1 ms\t/m, text);
  } finally {
    await server.stop();
  }
}, 60_000);
