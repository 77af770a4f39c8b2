import { clientRows } from "../client/options.ts";
import { doctorRows } from "../doctor/options.ts";
import { reportRows } from "../results/options.ts";
import { defaultEndpoints, serverRows } from "../server/options.ts";
import type { Command } from "./command.ts";
import { p2pCommands } from "./p2p_commands.ts";
import { wampCommands } from "./wamp_commands.ts";

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
  summary: "open connections, send messages and measure the answers",
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

/** The subcommands, in the order of help. */
export const commands: readonly Command[] = [
  server,
  client,
  doctor,
  report,
  ...p2pCommands,
  ...wampCommands,
] as readonly unknown[] as Command[];
