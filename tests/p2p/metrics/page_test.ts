import assert from "node:assert/strict";
import { evaluated, startBrowser } from "../../interop/browser.ts";
import { testWith } from "../../programs.ts";
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
