import assert from "node:assert/strict";
import { connectionOf, until, withPeers } from "../sqmr/peers.ts";

withPeers(
  "rememberProtocols() writes a peer's protocol once, and again after its return",
  async (started) => {
    const protocol = "/known/1.0.0";
    const serves = { protocols: [protocol], handler: () => {} };
    const server = await started.peer(1, [], { serves });
    const client = await started.peer(0, server.addresses);
    const { peerStore } = client.libp2p;
    const { peerId } = server.libp2p;
    const open = async () => {
      const connection = await connectionOf(client);
      for (let i = 0; i < 5; i++) (await connection.newStream(protocol)).abort(new Error("enough"));
      return connection;
    };
    const knows = async () => (await peerStore.get(peerId)).protocols.includes(protocol);
    const connection = await open();
    assert.ok(await knows());
    // Nothing is written while it is known: what a test takes out stays out.
    await peerStore.patch(peerId, { protocols: ["/other/1.0.0"] });
    await open();
    assert.equal(await knows(), false);
    // Other records are written as ever.
    await peerStore.merge(peerId, { protocols: ["/third/1.0.0", "/fourth/1.0.0"] });
    assert.equal((await peerStore.get(peerId)).protocols.length, 3);

    connection.abort(new Error("the test ends it"));
    await until("it is gone", () => client.connectedPeers() === 0);
    await until("it is back", () => client.connectedPeers() === 1);
    await open();
    assert.ok(await knows());
  },
);
