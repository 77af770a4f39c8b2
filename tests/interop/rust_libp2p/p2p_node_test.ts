/** `holdfast p2p node` as one starts it, beside nodes by rust-libp2p. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { exitCodes } from "../../../lib/errors.ts";
import { peerIdOf } from "../../../lib/p2p/identity.ts";
import type { NodeSnapshotJson } from "../../../lib/p2p/metrics/node_json.ts";
import { networkProtocols } from "../../../lib/p2p/network/network.ts";
import { totalDropped, totalRefused } from "../../../lib/p2p/snapshot.ts";
import { Directory, freePort, Program } from "../program.ts";
import { RustNode, type RustSummary, rustTest } from "./rust_node.ts";

const program = [process.execPath, join(import.meta.dir, "../../../mod.ts"), "p2p", "node"];
const rustMessages = 200;

/** What says that a node by rust-libp2p reaches all others. */
const reached = { gossipsub: "subscribed", sqmr: "connected", "reversed-sqmr": "queried" };

/** Interrupts a node, and reads what it reports. */
async function reportOf(node: Program, file: string): Promise<NodeSnapshotJson> {
  node.interrupt();
  assert.equal(await node.ended(), exitCodes.interrupted, node.text);
  return await Bun.file(file).json() as NodeSnapshotJson;
}

for (const protocol of networkProtocols) {
  rustTest(`holdfast p2p node, ${protocol}: two of them and two by rust-libp2p`, async () => {
    using directory = new Directory();
    const ports = new Set<number>();
    while (ports.size < 4) ports.add(await freePort());
    const addresses = await Promise.all(
      [...ports].map(async (port, id) => `/ip4/127.0.0.1/tcp/${port}/p2p/${await peerIdOf(id)}`),
    );
    const bootstrap = addresses.join(",");
    const portOf = (id: number) => `${[...ports][id]}`;
    const fileOf = (id: number) => join(directory.path, `${id}.json`);
    const startOurs = (id: number) =>
      new Program([
        ...[...program, "--id", `${id}`, "--num-nodes", "4", "--p2p-port", portOf(id)],
        ...["--bootstrap", bootstrap, "--network-protocol", protocol, "--heartbeat-millis", "10"],
        ...["--metric-port", "0", "--timeout", "60", "--json", fileOf(id), "--quiet"],
      ]);
    const startRust = (id: number) =>
      RustNode.start(id, addresses, [
        ...["--p2p-port", portOf(id), "--network-protocol", protocol],
        ...["--rate", "100", "--duration-seconds", `${rustMessages / 100}`],
      ]);
    await using third = startOurs(2);
    await using fourth = startOurs(3);
    await using first = await startRust(0);
    await using second = await startRust(1);
    const rust = [first, second];
    for (const node of rust) {
      await node.until(
        ({ event, count }) => event === reached[protocol] && count === 3,
        "is ready",
      );
    }
    for (const node of rust) node.go();
    for (const node of rust) await node.until(({ event }) => event === "done", "has sent all");
    await Bun.sleep(500);
    // While all others are still there: everything of it arrives.
    const ended = await reportOf(third, fileOf(2));
    await Bun.sleep(200);
    const last = await reportOf(fourth, fileOf(3));
    const summaries = [await first.summary(), await second.summary()];

    for (const report of [ended, last]) {
      assert.equal(report.mostPeers, 3);
      assert.ok(report.broadcast.sent > 50, `${report.broadcast.sent} messages`);
      assert.equal(totalRefused(report.received), 0);
      for (const { duplicates, pending } of report.senders) {
        assert.equal(duplicates, 0);
        if (protocol !== "sqmr") assert.equal(pending, 0);
      }
    }
    assert.equal(totalDropped(ended.broadcast), 0, JSON.stringify(ended.broadcast));
    for (const { errors, malformed, dropped } of summaries) {
      assert.deepEqual([malformed, dropped], [0, {}]);
      // Streams that were open at the end of ours are broken off, and pings on connections that
      // gave way to others.
      const texts = Object.keys(errors).filter((text) => !text.startsWith("ping: "));
      if (protocol === "gossipsub") assert.deepEqual(texts, []);
    }
    for (const id of [0, 1]) {
      assertDelivered(protocol, id, rustMessages, [ended, last], summaries);
    }
    assertDelivered(protocol, 2, ended.broadcast.sent, [last], summaries);
  }, 90_000);
}

/** Each of the others has every message of a sender once; in SQMR, one of them has. */
function assertDelivered(
  protocol: string,
  sender: number,
  sent: number,
  ours: readonly NodeSnapshotJson[],
  rust: readonly RustSummary[],
): void {
  const theirs = rust.filter(({ id }) => id !== sender).map(({ senders }) => senders[sender]);
  for (const counts of theirs) assert.equal(counts?.duplicates, 0);
  const received = [
    ...ours.map(({ senders }) => senders.find((each) => each.sender === sender)?.received ?? 0),
    ...theirs.map((counts) => counts?.unique ?? 0),
  ];
  if (protocol === "sqmr") {
    assert.equal(
      received.reduce((sum, each) => sum + each, 0),
      sent,
      `node ${sender}: ${received}`,
    );
    for (const each of received) assert.ok(each > 0, `the peers take turns: ${received}`);
  } else {
    assert.deepEqual(received, received.map(() => sent), `of node ${sender}`);
  }
}
