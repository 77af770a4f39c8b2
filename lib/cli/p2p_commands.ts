import { idRows } from "../p2p/id/options.ts";
import { localRows } from "../p2p/local/options.ts";
import { nodeRows } from "../p2p/node/options.ts";
import type { Command } from "./command.ts";

const p2pNode: Command<typeof nodeRows> = {
  name: "p2p node",
  summary: "be one peer of a broadcast benchmark over libp2p",
  arguments: {
    name: "argument",
    least: 0,
    most: 0,
    summary: [],
  },
  rows: nodeRows,
  examples: [
    {
      purpose: "the first of three nodes, a message of 1 KiB every 10 ms from each",
      line: "holdfast p2p node --id 0 --num-nodes 3 --heartbeat-millis 10 \\\n" +
        "    --bootstrap /ip4/10.0.0.6/tcp/10000,/ip4/10.0.0.7/tcp/10000",
    },
    {
      purpose: "messages of 64 KiB from node 1 alone, pushed over streams, for a minute",
      line: "holdfast p2p node --id 0 --num-nodes 3 --mode one --broadcaster 1 \\\n" +
        "    --message-size-bytes 64KiB --network-protocol reversed-sqmr --timeout 60 \\\n" +
        "    --bootstrap /dns4/node-1/tcp/10000,/dns4/node-2/tcp/10000",
    },
    {
      purpose: "how much node 0 can broadcast: sizes and rates until one is not sustained",
      line: "holdfast p2p node --id 2 --num-nodes 3 --mode explore --broadcaster 0 \\\n" +
        "    --explore-stop-at-limit \\\n" +
        "    --bootstrap /dns4/node-0/tcp/10000,/dns4/node-1/tcp/10000",
    },
  ],
  load: () => import("../p2p/node/run.ts"),
};

const p2pLocal: Command<typeof localRows> = {
  name: "p2p local",
  summary: "run a p2p network on this host, and report on it as one",
  arguments: { name: "argument", least: 0, most: 0, summary: [] },
  rows: localRows,
  examples: [
    {
      purpose: "five nodes that each broadcast 1 KiB a hundred times per second",
      line: "holdfast p2p local --num-nodes 5 --heartbeat-millis 10 -t 30s",
    },
    {
      purpose: "one broadcaster, and a bound on the time until everyone had a message",
      line: "holdfast p2p local -n 10 --mode one --heartbeat-millis 20 \\\n" +
        "    --expect 'delivered>=99.9%' --expect 'reach-100.p99<100ms'",
    },
    {
      purpose: "what a node misses that is killed and comes back",
      line: "holdfast p2p local -n 5 --heartbeat-millis 10 -t 40s \\\n" +
        "    --kill 2 --at 20s --restart-after 5s",
    },
    {
      purpose: "the same load by each protocol, side by side",
      line: "holdfast p2p local -n 3 --mode one --compare gossipsub,sqmr,reversed-sqmr",
    },
    {
      purpose: "which sizes and rates the network sustains",
      line: "holdfast p2p local -n 3 --mode explore --explore-run-duration-seconds 10 \\\n" +
        "    --explore-cool-down-duration-seconds 5 --explore-stop-at-limit",
    },
  ],
  load: () => import("../p2p/local/run.ts"),
};

const p2pId: Command<typeof idRows> = {
  name: "p2p id",
  summary: "print the peer id of a node of the p2p benchmark",
  arguments: {
    name: "id",
    least: 1,
    most: Infinity,
    example: "0",
    summary: ["node ids; a line of output each"],
  },
  rows: idRows,
  examples: [
    { purpose: "the peer id of node 0", line: "holdfast p2p id 0" },
    {
      purpose: "those of three nodes, for the addresses of --bootstrap",
      line: "holdfast p2p id 0 1 2",
    },
    { purpose: "ids need not be small", line: "holdfast p2p id 1000000" },
  ],
  load: () => import("../p2p/id/run.ts"),
};

/** `holdfast p2p …`, in the order of help. */
export const p2pCommands = [
  p2pNode,
  p2pLocal,
  p2pId,
] as const;
