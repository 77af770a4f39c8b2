import { clientRows } from "../client/options.ts";
import { doctorRows } from "../doctor/options.ts";
import { reportRows } from "../results/options.ts";
import { defaultEndpoints, serverRows } from "../server/options.ts";
import { defaultListen, routerRows } from "../wamp/router/options.ts";
import { backendRows } from "../wamp/backend/options.ts";
import { haRows } from "../wamp/ha/options.ts";
import { probeRows } from "../wamp/probe/options.ts";
import type { Command } from "./command.ts";

const server: Command<typeof serverRows> = {
  name: "server",
  summary: "listen on endpoints, echo what comes in and count it",
  arguments: {
    name: "endpoint",
    least: 0,
    most: Infinity,
    summary: [
      "tcp://, tls:// or udp:// host:port, ws:// or wss:// host:port/path,",
      "quic://host:first-last; an empty host is every address; without any:",
      defaultEndpoints.slice(0, 4).join(" "),
      defaultEndpoints.slice(4).join(" "),
    ],
  },
  rows: serverRows,
  examples: [
    { purpose: "every transport on its default port", line: "holdfast server" },
    {
      purpose: "one endpoint, a line a second, statistics for other hosts",
      line: "holdfast server tcp://:4242 --report-every 1s --stats :9464",
    },
    {
      purpose: "TLS with a certificate that clients can verify",
      line: "holdfast server tls://:4243 --write-cert certs",
    },
    {
      purpose: "a process for each core, on one port",
      line: "holdfast server ws://:8080 --workers auto",
    },
    {
      purpose: "QUIC for many connections: a range of ports",
      line: "holdfast server quic://:4433-4464",
    },
    {
      purpose: "one of several servers, on every core, that tells its clients which it is",
      line: "holdfast server tcp://:4242 --workers auto --announce east-1",
    },
  ],
  load: () => import("../server/run.ts"),
};

const client: Command<typeof clientRows> = {
  name: "client",
  summary: "open connections to an endpoint, send messages, measure answers",
  arguments: {
    name: "endpoint",
    least: 1,
    most: 1,
    example: "tcp://localhost:4242",
    summary: [
      "tcp://, tls:// or udp:// host:port, ws:// or wss:// host:port/path,",
      "quic://host:first-last; an empty host is localhost",
    ],
  },
  rows: clientRows,
  examples: [
    {
      purpose: "hold 5000 connections for a minute, opened at 500 per second",
      line: "holdfast client tcp://localhost:4242 -c 5000 --connect-rate 500 -t 60s",
    },
    {
      purpose: "find the p99 at 50000 messages per second, and fail above 10 ms",
      line: "holdfast client ws://localhost:8080 -c 1k -r 50k --expect 'response.p99<10ms'",
    },
    {
      purpose: "load a DNS server over TCP",
      line: "holdfast client tcp://localhost:53 -c 50 -r 10k --codec dns --query a.test/A",
    },
    {
      purpose: "4096 QUIC connections with a socket each, 1024 bytes every second",
      line: "holdfast client quic://localhost:4433-4464 -c 4096 --connect-rate 200 \\\n" +
        "    --connections-per-socket 1 --interval 1s --size 1024 --insecure",
    },
    {
      purpose: "more connections than one process may have descriptors for",
      line: "holdfast client ws://localhost:8080 -c 100k --workers auto --interval 10s",
    },
    {
      purpose: "a rate that changes",
      line: "holdfast client tcp://:4242 -c 100 --stages '10s:1k, 30s:5k, 10s:+200/s'",
    },
    {
      purpose: "open connections until something breaks, and tell what it was",
      line: "holdfast client tcp://10.0.0.5:4242 -c max --step 1k/10s \\\n" +
        "    --server-stats http://10.0.0.5:9464",
    },
    {
      purpose: "100000 WebSockets over as many processes as they need, from 4 addresses",
      line: "holdfast client ws://10.0.0.5:8080 -c 100k --workers auto \\\n" +
        "    --source 10.0.0.16/30 --interval 30s -t 5m",
    },
    {
      purpose: "what a failover costs: bring lost connections back, and see where they went",
      line: "holdfast client tls://proxy:4243 -c 5k --interval 1s --reconnect --identify",
    },
  ],
  load: () => import("../client/run.ts"),
};

const doctor: Command<typeof doctorRows> = {
  name: "doctor",
  summary: "tell how many connections this host can hold, and what limits it",
  arguments: {
    name: "argument",
    least: 0,
    most: 0,
    summary: [],
  },
  rows: doctorRows,
  examples: [
    {
      purpose: "how many connections fit, and which limit comes first",
      line: "holdfast doctor --target tcp://10.0.0.5:4242",
    },
    {
      purpose: "can this host serve 100000 WebSockets?",
      line: "holdfast doctor --role server --target ws://:8080 --connections 100k",
    },
    {
      purpose: "a script that makes room for a million in 50 processes",
      line: "holdfast doctor -c 1M --workers 50 --script",
    },
  ],
  load: () => import("../doctor/run.ts"),
};

const report: Command<typeof reportRows> = {
  name: "report",
  summary: "add the results of several hosts into one",
  arguments: {
    name: "file",
    least: 1,
    most: Infinity,
    example: "host-a.json",
    summary: ["what --json of each client, or of each server, has written"],
  },
  rows: reportRows,
  examples: [
    {
      purpose: "the clients of two hosts as one, which must keep a bound together",
      line: "holdfast report host-a.json host-b.json --expect 'response.p99<10ms'",
    },
    {
      purpose: "their histograms for HdrHistogram's own tools",
      line: "holdfast report host-*.json --format hdr --output all.hdr",
    },
    {
      purpose: "one result of several servers",
      line: "holdfast report server-a.json server-b.json --format json -o servers.json",
    },
  ],
  load: () => import("../results/run.ts"),
};

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

/** The subcommands, in the order of help. */
export const commands: readonly Command[] = [
  server,
  client,
  doctor,
  report,
  wampRouter,
  wampProbe,
  wampBackend,
  wampHa,
] as readonly unknown[] as Command[];
