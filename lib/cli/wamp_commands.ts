import { defaultListen, routerRows } from "../wamp/router/options.ts";
import { backendRows } from "../wamp/backend/options.ts";
import { haRows } from "../wamp/ha/options.ts";
import { probeRows } from "../wamp/probe/options.ts";
import type { Command } from "./command.ts";

const wampRouter: Command<typeof routerRows> = {
  name: "wamp router",
  summary: "route WAMP: publish and subscribe, call and register",
  arguments: {
    name: "argument",
    least: 0,
    most: 0,
    summary: [],
  },
  rows: routerRows,
  examples: [
    {
      purpose: `a router on ${defaultListen[0]}`,
      line: "holdfast wamp router",
    },
    {
      purpose: "a router with a name, over WebSocket and rawsocket",
      line: "holdfast wamp router --node node1 --realm realm1 \\\n" +
        "    --listen ws://:8081/ws --listen rs://:5081",
    },
    {
      purpose: "one of two linked routers; the other one has 1 and 2 exchanged",
      line: "holdfast wamp router --node node1 --listen ws://:8081/ws --listen rs://:5081 \\\n" +
        "    --link rs://localhost:5082",
    },
    {
      purpose: "one router of a cluster that a file describes",
      line: "holdfast wamp router --config cluster.json --node node2",
    },
  ],
  load: () => import("../wamp/router/run.ts"),
};

const wampProbe: Command<typeof probeRows> = {
  name: "wamp probe",
  summary: "load a WAMP router, and account for every event",
  arguments: { name: "argument", least: 0, most: 0, summary: [] },
  rows: probeRows,
  examples: [
    {
      purpose: "320 sessions in 8 processes, each publishing twice a second to all",
      line: "holdfast wamp probe --url ws://localhost:8080/ws --clients 8 \\\n" +
        "    --connections 40 --rate 2 --size 128 --no-calls",
    },
    {
      purpose: "every node of a cluster, events and calls",
      line: "holdfast wamp probe --config client.ini --connections 10 --rate 5",
    },
    {
      purpose: "fail when an event is lost, comes twice, or is late",
      line: "holdfast wamp probe --url rs://localhost:5081 --no-calls --open-loop \\\n" +
        "    --rate 100 --expect events.lost==0 --expect 'delivery.p99<50ms'",
    },
  ],
  load: () => import("../wamp/probe/run.ts"),
};

const wampBackend: Command<typeof backendRows> = {
  name: "wamp backend",
  summary: "register the procedures that wamp probe calls",
  arguments: { name: "argument", least: 0, most: 0, summary: [] },
  rows: backendRows,
  examples: [
    {
      purpose: "the procedures of four nodes, each at its own node",
      line: "holdfast wamp backend --config client.ini",
    },
    {
      purpose: "all of them at one router",
      line: "holdfast wamp backend --url ws://localhost:8080/ws",
    },
    {
      purpose: "one node's procedure, in four sessions that share it",
      line: "holdfast wamp backend --url rs://localhost:5081 --node 1 --connections 4",
    },
  ],
  load: () => import("../wamp/backend/run.ts"),
};

const wampHa: Command<typeof haRows> = {
  name: "wamp ha",
  summary: "break a cluster of routers behind HAProxy, and tell what it cost",
  arguments: { name: "argument", least: 0, most: 0, summary: [] },
  rows: haRows,
  examples: [
    {
      purpose: "kill one of four nodes, and fail where a failover takes too long",
      line: "holdfast wamp ha --scenario kill-node \\\n" +
        "    --expect 'reconnect.p95<500ms' --expect events.lost==0",
    },
    {
      purpose: "a node that hangs, comes back and gets its sessions again",
      line: "holdfast wamp ha --nodes 3 --scenario freeze-node --rebalance \\\n" +
        "    --expect 'detection<2s' --expect 'spread.difference<=1'",
    },
    {
      purpose: "steps of your own",
      line: "holdfast wamp ha --scenario steps.txt --connections 200 --json ha.json",
    },
  ],
  load: () => import("../wamp/ha/run.ts"),
};

/** `holdfast wamp …`, in the order of help. */
export const wampCommands = [
  wampRouter,
  wampProbe,
  wampBackend,
  wampHa,
] as const;
