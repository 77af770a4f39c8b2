import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { main } from "../../lib/cli/main.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { ChildServer } from "../server/running_server.ts";
import { allAnswered, runClient } from "./client_process.ts";
import { CollectedIo } from "./collected_io.ts";
import * as wrong from "./wrong_servers.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-bad-input-"));
afterAll(() => rmSync(directory, { recursive: true }));

const inDirectory = (name: string) => join(directory, name);
writeFileSync(inDirectory("noise"), randomBytes(50_000));
writeFileSync(inDirectory("empty"), "");
writeFileSync(inDirectory("letters.txt"), "2\n1000 5\n1000 five\n");

const makePair = () => makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
const ours = await makePair();
const others = await makePair();
writeFileSync(inDirectory("ca.pem"), ours.ca);
writeFileSync(inDirectory("cert.pem"), ours.cert);
writeFileSync(inDirectory("key.pem"), ours.key);
writeFileSync(inDirectory("other-ca.pem"), others.ca);
writeFileSync(inDirectory("other-key.pem"), others.key);

/** One line that begins like every error, and that is not the end of a trace. */
function assertOneLine(text: string): void {
  assert.match(text, /^holdfast: [^\n]+\n$/);
  assert.doesNotMatch(text, / at .*:\d+|this is a bug/);
}

// Errors that keep anything from beginning: the same in this process as in one of its own.
const impossible: [line: string, exitCode: number, message: RegExp][] = [
  ["client gopher://localhost:70", 2, /unknown scheme "gopher"; use one of tcp/],
  ["client localhost:70", 2, /"localhost:70" is not of the form scheme:\/\/host:port/],
  ["client tcp://localhost:70000", 2, /port "70000"; .* from 0 to 65535/],
  ["client tcp://localhost:-1", 2, /port "-1"; .* from 0 to 65535/],
  ["client tcp://localhost:0", 2, /port 0, which no server listens on/],
  ["client tcp://localhost:1-2", 2, /only quic endpoints have one/],
  ["client quic://localhost:9-3", 2, /"9-3"; write first-last/],
  ["client tcp://::1:4242", 2, /IPv6 addresses in brackets/],
  ["client tcp://localhost:1/path", 2, /only ws and wss endpoints have one/],
  ["client tcp://:1 -c 0", 2, /--connections: "0" is not a whole number from 1/],
  ["client tcp://:1 -c 1.5", 2, /--connections: "1.5" is not a whole number/],
  ["client tcp://:1 -r 0", 2, /--rate: "0" is not a rate; .*above 0/],
  ["client tcp://:1 -r -5", 2, /--rate/],
  ["client tcp://:1 -r 1e400", 2, /--rate: "1e400" is not a rate/],
  ["client tcp://:1 -t 0", 2, /--duration/],
  ["client tcp://:1 -t 99999999h", 2, /--duration: "99999999h" is longer than 24d/],
  ["client tcp://:1 -r 1 --size 1", 2, /size 1 is too small; the minimum .* is 12 bytes/],
  ["client udp://:1 -r 1 --size 10MiB", 2, /at most 65507 bytes/],
  ["client tcp://:1 -r 1 --size 2GiB", 2, /2147483648 .*1 GiB|--size: "2GiB"/],
  ["client tcp://:1 -r 1 --interval 1s", 2, /--rate and --interval contradict each other/],
  ["client tcp://:1 --verify", 2, /--verify has no effect without/],
  ["client tls://:1 --insecure --ca x", 2, /--(ca|insecure) and --(ca|insecure) contradict/],
  ["client tls://:1 --cert x", 2, /--cert has no effect without --key/],
  ["client ws://:1 -r 1 --codec dns", 2, /--codec dns applies to udp, tcp or tls/],
  ["client tcp://:1 -r 1 --codec dns --query a..b/A", 2, /"a\.\.b\/A" has an empty label/],
  ["client tcp://:1 -r 1 --codec dns --query a/ZZZ", 2, /unknown type "ZZZ"/],
  ["client tcp://:1 --stages 1s:5,x", 2, /stage 2, "x"/],
  ["client tcp://:1 --schedule @/letters.txt", 2, /line 3 of the schedule, "1000 five"/],
  ["client tcp://:1 --schedule @/empty", 2, /schedule is empty/],
  ["client tcp://:1 --schedule @/noise", 2, /line 1 of the schedule/],
  ["client tcp://:1 --schedule @/none", 2, /--schedule \S+none cannot be read: ENOENT/],
  ["client tls://:1 --ca @/none", 2, /--ca \S+none cannot be read: ENOENT/],
  ["client tls://:1 --ca @", 2, /--ca \S+ cannot be read: EISDIR/],
  ["client tls://:1 --ca @/noise", 2, /--ca \S+noise: .*"BEGIN CERTIFICATE"/],
  ["client tls://:1 --cert @/cert.pem --key @/other-key.pem", 2, /the key does not belong/],
  ["client tcp://:1 --json @/none/run.json", 2, /cannot write "\S+run.json": ENOENT/],
  ["client tcp://:1 --expect answer<1", 2, /unknown metric "answer"; did you mean/],
  ["client tcp://:1 --expect p99", 2, /"p99" is not of the form metric, operator/],
  ["client tcp://:1 --label x", 2, /--label: "x" is not of the form key=value/],
  ["client tcp://:1 --stats nowhere", 2, /--stats: "nowhere" is not an address to listen on/],
  ["client tcp://no.such.host.invalid:1", 4, /"no\.such\.host\.invalid" does not resolve/],
  ["client tcp://:1 -c 2147483647", 5, /2147483647 connections take 2147483747 file desc/],
  ["server gopher://:70", 2, /unknown scheme "gopher"/],
  ["server tcp://127.0.0.1:99999", 2, /port "99999"/],
  ["server tls://127.0.0.1:0 --cert @/none --key @/key.pem", 2, /--cert \S+none cannot be read/],
  ["server tls://127.0.0.1:0 --cert @/noise --key @/key.pem", 2, /--cert \S+noise .*PEM/],
  ["server tls://127.0.0.1:0 --cert @/cert.pem --key @/other-key.pem", 2, /does not belong/],
  ["server tls://127.0.0.1:0 --write-cert @/noise/x", 2, /--write-cert \S+ cannot be written/],
  ["server tcp://192.0.2.1:5", 5, /192\.0\.2\.1 is not an address of this host/],
  ["server tcp://no.such.host.invalid:5", 5, /cannot listen on tcp:\/\/no\.such\.host\.invalid/],
];

for (const [line, exitCode, message] of impossible) {
  test(`holdfast ${line} ends with ${exitCode} and says why`, async () => {
    const io = new CollectedIo();
    const argv = line.replaceAll("@", directory).split(" ");
    const code = await main(argv, {}, io, AbortSignal.timeout(10_000));
    const noted = io.noteLines.map((note) => `${note}\n`).join("");
    assertOneLine(noted);
    assert.match(noted, message);
    assert.equal(code, exitCode);
    assert.deepEqual(io.outLines, []);
  });
}

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

test("holdfast client whose connections find no source port ends with 5", async () => {
  await using server = await wrong.tcpServer(wrong.echo);
  const taken = await wrong.tcpServer(wrong.echo);
  await using _ = taken;
  const { exitCode, err } = await runClient([
    ...[`tcp://127.0.0.1:${server.port}`, "--source-ports", `${taken.port}-${taken.port}`],
    ...["-c", "3", "-t", "300ms"],
  ]);
  assertOneLine(err);
  assert.match(err, /3 connections take a source port each, and 0 of --source-ports \d+-\d+ are/);
  assert.match(err, /give a wider range of --source-ports or further addresses with --source/);
  assert.equal(exitCode, 5);
});

test("holdfast client keeps its report when a file cannot be written to its end", async () => {
  await using server = await wrong.tcpServer(wrong.echo);
  const pipe = inDirectory("pipe");
  assert.equal(Bun.spawnSync(["mkfifo", pipe]).exitCode, 0);
  const reader = Bun.spawn(["head", "-c", "1000", pipe], { stdout: "ignore" });
  const load = ["-c", "2", "-r", "1000", "-t", "2s", "--max-schedule-error", "1m"];
  const { exitCode, err, out, snapshot } = await runClient(
    [`tcp://127.0.0.1:${server.port}`, ...load, "--csv", pipe],
  );
  await reader.exited;
  assert.equal(exitCode, 2);
  assertOneLine(err);
  assert.match(err, /cannot write "\S+pipe": EPIPE/);
  assert.match(out, /^verdict +ok$/m);
  assert.ok(snapshot !== undefined && snapshot.steadyMs > 1900);
  assert.equal(snapshot.messages.answered, snapshot.messages.sent);
});

/** Opens a connection, sends, and waits until the server has had its say about it. */
async function throwAt(port: number, bytes: Uint8Array, isTls = false): Promise<void> {
  const socket = isTls
    ? connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false })
    : connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const closed = once(socket, "close");
  await Promise.race([closed, once(socket, isTls ? "secureConnect" : "connect").catch(() => {})]);
  socket.end(bytes);
  socket.resume();
  await Promise.race([closed, Bun.sleep(500)]);
  socket.destroy();
}

test("holdfast server survives random bytes on every listener, and serves on", async () => {
  const schemes = ["tcp", "tls", "udp", "ws", "wss", "quic"] as const;
  const server = await ChildServer.start([
    ...schemes.map((scheme) => `${scheme}://127.0.0.1:0`),
    ...["--write-cert", inDirectory("made"), "--quiet"],
  ]);
  await using _ = server;
  const datagrams = createSocket("udp4");
  for (let round = 0; round < 20; round++) {
    const noise = randomBytes(1 + Math.floor(Math.random() * 3000));
    await Promise.all([
      ...(["tcp", "tls", "ws", "wss"] as const).map((scheme) =>
        throwAt(server.portOf(scheme), noise)
      ),
      ...(["tls", "wss"] as const).map((scheme) => throwAt(server.portOf(scheme), noise, true)),
    ]);
    for (const scheme of ["udp", "quic"] as const) {
      datagrams.send(noise.subarray(0, 1200), server.portOf(scheme), "127.0.0.1");
    }
  }
  datagrams.close();
  const { total } = await server.snapshotWith("nobody is left", ({ total }) => total.open === 0);
  assert.ok(Object.values(total.refused).some((count) => count > 0), JSON.stringify(total));
  for (const { scheme, port } of server.endpoints) {
    const isSecure = ["tls", "wss", "quic"].includes(scheme);
    const trust = isSecure ? ["--ca", inDirectory("made/ca.pem")] : [];
    const load = ["-c", "3", "-r", "100", "-t", "200ms", "--verify"];
    allAnswered(await runClient([`${scheme}://127.0.0.1:${port}`, ...trust, ...load]));
  }
  server.kill("SIGINT");
  assert.equal(await server.ended(), 0);
  const notes = server.noteLines.filter((line) => !line.includes("Warning") && line !== "");
  for (const line of notes) assert.doesNotMatch(line, /^\s+at |this is a bug|Error:/, line);
}, 60_000);
