/**
 * A node of a test in a process of its own: reads settings as JSON from its argument, publishes when
 * a line comes on stdin, and ends when stdin does.
 *
 * stdout: `peers N` whenever it changes; `received N` when that changes; `twice` for a message that
 * came before; `refused REASON` for one that was not sent.
 */
import { startGossipsub } from "../../../lib/p2p/network/gossipsub.ts";

const settings = JSON.parse(process.argv[2] ?? "");
const messages = Number(process.argv[3]);
const received = new Set<string>();
let peers = -1;
let told = 0;

const network = await startGossipsub(settings, {
  received: (message) => {
    const text = Buffer.from(message).toString();
    if (received.has(text)) console.log("twice");
    received.add(text);
  },
  dropped: (reason) => console.log(`refused ${reason}`),
  sent: () => {},
  event: () => {},
  roundTrip: () => {},
});

const telling = setInterval(() => {
  if (network.reachablePeers() !== peers) console.log(`peers ${peers = network.reachablePeers()}`);
  if (received.size !== told) console.log(`received ${told = received.size}`);
}, 10);

for await (const _line of process.stdin) {
  for (let index = 0; index < messages; index++) {
    const reason = network.publish(Buffer.from(`${settings.nodeId}/${index}`), index);
    if (reason !== undefined) console.log(`refused ${reason}`);
  }
}
clearInterval(telling);
await network.stop();
process.exit(0);
