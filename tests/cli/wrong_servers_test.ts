import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { assertOneLine, inDirectory, ours } from "./bad_input.ts";
import { allAnswered, runClient } from "./client_process.ts";
import * as wrong from "./wrong_servers.ts";

interface Target {
  /** The server, or undefined for a port that nobody listens on. */
  readonly serve?: () => Promise<wrong.WrongServer>;
  /** `scheme:`, with the options that belong to it. */
  readonly client: string;
  readonly message: RegExp;
  /** What must be in the snapshot besides balanced books. */
  readonly check?: (snapshot: ClientSnapshot) => void;
}

const failedAs = (kind: string) => ({ connections }: ClientSnapshot) => {
  assert.deepEqual(connections.failures.map((failure) => failure.kind), [kind]);
  assert.equal(connections.failures[0]?.count, 3);
  assert.equal(connections.open, 0);
};

const unanswered = ({ messages, connections }: ClientSnapshot) => {
  assert.ok(messages.sent > 0);
  assert.equal(messages.answered, 0);
  assert.equal(connections.open, 3);
};

const trusting = `--ca ${inDirectory("ca.pem")}`;
const noAnswer = /No message was answered: \d+ were sent, \d+ were lost, and nothing came back/;

/** A length that no message has, and one that never comes to its end. */
const oversizedFrame = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(60)]);
const endlessDnsAnswer = Buffer.from([0xff, 0xff, 0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
const oversizedWebSocketFrame = Buffer.from([0x82, 127, 0x7f, ...new Array(7).fill(0xff)]);

const targets: Record<string, Target> = {
  "a port that nobody listens on (tcp)": {
    client: "tcp:",
    message: /3 refused \(ECONNREFUSED connect 127.*\); check that the server runs/,
    check: failedAs("refused"),
  },
  "a port that nobody listens on (tls)": {
    client: `tls: ${trusting}`,
    message: /3 refused \(ECONNREFUSED/,
    check: failedAs("refused"),
  },
  "a port that nobody listens on (ws)": {
    client: "ws:",
    message: /3 refused \(ECONNREFUSED/,
    check: failedAs("refused"),
  },
  "a port that nobody listens on (udp)": {
    client: "udp:",
    message: /3 refused \(ECONNREFUSED/,
    check: failedAs("refused"),
  },
  "a port that nobody listens on (quic)": {
    client: `quic: ${trusting}`,
    message: /3 refused \(ECONNREFUSED/,
    check: failedAs("refused"),
  },
  "an HTTP server": {
    serve: wrong.httpServer,
    client: "tcp:",
    message: /3 protocol \(no answer, but "HTTP\/1\.1 400 .*, as from an HTTP server\)/,
    check: failedAs("protocol"),
  },
  "an HTTP server (ws)": {
    serve: wrong.httpServer,
    client: "ws:",
    message: /WebSocket upgrade with HTTP\/1\.1 200/,
  },
  "an HTTP server (tls)": {
    serve: wrong.httpServer,
    client: `tls: ${trusting}`,
    message: /3 tls \(.*what listens there does not speak TLS/,
    check: failedAs("tls"),
  },
  "an SSH server": {
    serve: () => wrong.tcpServer(wrong.greet("SSH-2.0-OpenSSH_9.2\r\n")),
    client: "tcp:",
    message: /3 protocol \(no answer, but "SSH-2\.0-OpenSSH_9\.2\\r\\n", as from an SSH server\)/,
    check: failedAs("protocol"),
  },
  "a TCP echo server (tls)": {
    serve: () => wrong.tcpServer(wrong.echo),
    client: `tls: ${trusting}`,
    message: /3 tls \(.*what listens there does not speak TLS/,
    check: failedAs("tls"),
  },
  "a TCP echo server (ws)": {
    serve: () => wrong.tcpServer(wrong.echo),
    client: "ws:",
    message: /3 protocol \(.*WebSocket upgrade.*"GET \/ HTTP\/1\.1/,
    check: failedAs("protocol"),
  },
  "a TLS server (tcp)": {
    serve: () => wrong.tlsServer(wrong.echo, ours),
    client: "tcp:",
    // Its alert, its end of the stream or its reset is read first, on each connection anew.
    message:
      /Every connection ended before the run did: (\d (protocol|closed-by-peer|reset) \(.*)+/,
    check: ({ connections: { failures, open } }) => {
      assert.equal(failures.reduce((sum, { count }) => sum + count, 0), 3);
      assert.equal(open, 0);
      for (const { kind, firstDetail } of failures) {
        assert.match(
          `${kind} ${firstDetail}`,
          /^(protocol .*as from a TLS|closed-by-peer |reset )/,
        );
      }
    },
  },
  "a TLS server that is no WebSocket (wss)": {
    serve: () => wrong.tlsServer(wrong.echo, ours),
    client: `wss: ${trusting}`,
    message: /3 protocol \(.*WebSocket upgrade/,
    check: failedAs("protocol"),
  },
  "a server that sends random bytes": {
    serve: () => wrong.tcpServer(wrong.greet(randomBytes(300))),
    client: "tcp:",
    message: /3 protocol \(no answer, but /,
    check: failedAs("protocol"),
  },
  "a server that answers random bytes": {
    serve: () => wrong.tcpServer(wrong.babble),
    client: "tcp:",
    message: /3 protocol \(no answer, but /,
    check: failedAs("protocol"),
  },
  "a server that answers random bytes (tls handshake)": {
    serve: () => wrong.tcpServer(wrong.babble),
    client: `tls: ${trusting}`,
    message: /3 tls \(/,
    check: failedAs("tls"),
  },
  "a server that answers random bytes (inside tls)": {
    serve: () => wrong.tlsServer(wrong.babble, ours),
    client: `tls: ${trusting}`,
    message: /3 protocol \(no answer, but /,
    check: failedAs("protocol"),
  },
  "a server that answers random bytes (ws handshake)": {
    serve: () => wrong.tcpServer(wrong.babble),
    client: "ws:",
    message: /3 protocol \(.*WebSocket upgrade/,
    check: failedAs("protocol"),
  },
  "a server that sends random bytes (ws frames)": {
    serve: () => wrong.tcpServer(wrong.upgradeThen(Buffer.alloc(300, 0xfb))),
    client: "ws:",
    message: /3 protocol \(/,
    check: failedAs("protocol"),
  },
  "a server that answers random bytes (dns over tcp)": {
    serve: () => wrong.tcpServer(wrong.greet(Buffer.alloc(300, 0xfb))),
    client: "tcp: --codec dns",
    message: /3 protocol \(no answer, but bytes fb/,
    check: failedAs("protocol"),
  },
  "a server that answers random datagrams": {
    serve: () => wrong.udpServer(() => randomBytes(40)),
    client: "udp:",
    message: /No message was answered: .* \d+ times something else came than was sent/,
    check: unanswered,
  },
  "a server that answers random datagrams (dns)": {
    serve: () => wrong.udpServer(() => randomBytes(40)),
    client: "udp: --codec dns",
    message: /No message was answered: .* \d+ times something else came than was sent/,
    check: unanswered,
  },
  "a server that answers empty datagrams": {
    serve: () => wrong.udpServer(() => new Uint8Array(0)),
    client: "udp:",
    message: /No message was answered: .* \d+ times something else came than was sent/,
    check: unanswered,
  },
  "a server that cuts datagrams short": {
    serve: () => wrong.udpServer((message) => message.subarray(0, message.length - 1)),
    client: "udp:",
    message: /No message was answered: .* \d+ times something else came than was sent/,
    check: unanswered,
  },
  "a server that answers random datagrams (quic)": {
    serve: () => wrong.udpServer(() => randomBytes(1200)),
    client: `quic: ${trusting} --connect-timeout 500ms`,
    message: /3 timeout \(/,
    check: failedAs("timeout"),
  },
  "an oversized frame": {
    serve: () => wrong.tcpServer(wrong.greet(oversizedFrame)),
    client: "tcp:",
    message: /3 protocol \(no answer, but bytes ffffffff0000/,
    check: failedAs("protocol"),
  },
  "an oversized frame (ws)": {
    serve: () => wrong.tcpServer(wrong.upgradeThen(oversizedWebSocketFrame)),
    client: "ws:",
    message: /3 protocol \(/,
    check: failedAs("protocol"),
  },
  "an answer that never ends (dns over tcp)": {
    serve: () => wrong.tcpServer(wrong.greet(endlessDnsAnswer)),
    client: "tcp: --codec dns",
    message: noAnswer,
    check: unanswered,
  },
  "a truncated frame": {
    serve: () => wrong.tcpServer(wrong.truncate),
    client: "tcp: --size 100kB",
    message: /3 (closed-by-peer|reset) \(/,
  },
  "a server that hangs up at once": {
    serve: () => wrong.tcpServer(wrong.hangUp),
    client: "tcp:",
    message: /3 closed-by-peer \(/,
    check: failedAs("closed-by-peer"),
  },
  "a server that resets at once": {
    serve: () => wrong.tcpServer(wrong.reset),
    client: "tcp:",
    message: /3 reset \(ECONNRESET/,
    check: failedAs("reset"),
  },
  "a silent server": {
    serve: () => wrong.tcpServer(wrong.silent),
    client: "tcp:",
    message: noAnswer,
    check: unanswered,
  },
  "a silent server (tls handshake)": {
    serve: () => wrong.tcpServer(wrong.silent),
    client: `tls: ${trusting} --connect-timeout 500ms`,
    message: /3 timeout \(no connection within the timeout\)/,
    check: failedAs("timeout"),
  },
  "a silent server (ws handshake)": {
    serve: () => wrong.tcpServer(wrong.silent),
    client: "ws: --connect-timeout 500ms",
    message: /3 timeout \(no connection within the timeout\)/,
    check: failedAs("timeout"),
  },
  "a certificate of an unknown authority": {
    serve: () => wrong.tlsServer(wrong.echo, ours),
    client: "tls:",
    message: /3 tls \(SELF_SIGNED_CERT_IN_CHAIN.*; trust its authority with --ca/,
    check: failedAs("tls"),
  },
  "a certificate of another authority (wss)": {
    serve: () => wrong.tlsServer(wrong.echo, ours),
    client: `wss: --ca ${inDirectory("other-ca.pem")}`,
    message: /3 tls \(.*; trust its authority with --ca/,
    check: failedAs("tls"),
  },
  "a certificate for another name": {
    serve: () => wrong.tlsServer(wrong.echo, ours),
    client: `tls: ${trusting} --servername other.example`,
    message: /3 tls \(.*other\.example.*--servername/,
    check: failedAs("tls"),
  },
};

for (const [name, { serve, client, message, check }] of Object.entries(targets)) {
  test(`holdfast client ${client.split(" --")[0]} tells of ${name}`, async () => {
    // Port 1 (tcpmux) is nobody's.
    await using server = await serve?.();
    const [scheme, ...options] = client.split(" ");
    const target = `${scheme}//127.0.0.1:${server?.port ?? 1}`;
    const load = ["-c", "3", "-r", "200", "-t", "300ms", "--timeout", "300ms"];
    // However busy this machine is, the generator is not to blame.
    const patience = ["--max-schedule-error", "1m"];
    const { exitCode, err, out, snapshot } = await runClient(
      [target, ...options, ...load, ...patience],
    );
    assertOneLine(err);
    assert.match(err, message);
    assert.equal(exitCode, 4, err);
    assert.ok(err.startsWith(`holdfast: ${target}: `), err);
    // The report is complete, and says the same.
    assert.match(out, /^verdict +STOPPED BY LIMIT$/m);
    assert.ok(snapshot !== undefined);
    assert.equal(snapshot.verdict?.kind, "stopped-by-limit");
    assert.equal(snapshot.phase, "done");
    assert.equal(snapshot.connections.attempted, 3);
    check?.(snapshot);
  }, 20_000);
}

test("holdfast client against an echo server is answered as DNS, which says so", async () => {
  await using server = await wrong.tcpServer(wrong.echo);
  const load = ["-c", "3", "-r", "200", "-t", "300ms", "--codec", "dns"];
  const { answerStatuses, messages } = allAnswered(
    await runClient([`tcp://127.0.0.1:${server.port}`, ...load]),
  );
  assert.deepEqual(answerStatuses, { echoed: messages.answered });
});
