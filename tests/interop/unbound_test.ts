import assert from "node:assert/strict";
import { readKernelCounters } from "../../lib/host/kernel_counters.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { testWith } from "../programs.ts";
import { Directory, freePort, Program } from "./program.ts";

/** unbound with some data of its own, which asks nobody and answers for nothing else. */
class Unbound implements AsyncDisposable {
  private constructor(
    readonly port: number,
    readonly tlsPort: number,
    readonly caFile: string,
    private readonly directory: Directory,
    private readonly program: Program,
  ) {}

  static async start(): Promise<Unbound> {
    const directory = new Directory();
    const { ca, cert, key } = await makeCertificate({ names: [], addresses: ["127.0.0.1"] });
    const caFile = await directory.write("ca.pem", ca);
    const certFile = await directory.write("cert.pem", cert);
    const keyFile = await directory.write("key.pem", key);
    const [port, tlsPort] = [await freePort(), await freePort()];
    const string = `"${"x".repeat(250)}"`;
    const config = await directory.write(
      "unbound.conf",
      `server:
        directory: "${directory.path}"
        chroot: ""
        username: ""
        pidfile: ""
        use-syslog: no
        logfile: ""
        verbosity: 1
        do-daemonize: no
        interface: 127.0.0.1@${port}
        interface: 127.0.0.1@${tlsPort}
        tls-port: ${tlsPort}
        tls-service-pem: "${certFile}"
        tls-service-key: "${keyFile}"
        incoming-num-tcp: 100
        so-rcvbuf: 1m
        module-config: "iterator"
        do-not-query-localhost: yes
        local-zone: "." refuse
        local-zone: "example.com." static
        local-data: "example.com. A 192.0.2.1"
        local-data: "example.com. AAAA 2001:db8::1"
        local-data: 'big.example.com. TXT ${Array(5).fill(string).join(" ")}'
      remote-control:
        control-enable: no
      `,
    );
    const program = await Program.start(["unbound", "-d", "-p", "-c", config], /start of service/);
    return new Unbound(port, tlsPort, caFile, directory, program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }

  /** How a client reaches it over each of its transports. */
  ways(): (readonly [endpoint: string, ...options: string[]])[] {
    return [
      [`udp://127.0.0.1:${this.port}`],
      [`tcp://127.0.0.1:${this.port}`],
      [`tls://127.0.0.1:${this.tlsPort}`, "--ca", this.caFile, "--alpn", "dot"],
    ];
  }
}

/** Datagrams that the kernel has dropped because their reader did not keep up. */
function droppedDatagrams(): number {
  return readKernelCounters().get("Udp.RcvbufErrors") ?? 0;
}

async function ask(
  [endpoint, ...options]: readonly string[],
  query: string,
  ...load: readonly string[]
): Promise<ClientSnapshot> {
  const droppedBefore = droppedDatagrams();
  const outcome = await runClient([
    endpoint!,
    ...options,
    ...["--codec", "dns", "--query", query, "--verify", "-c", "20", ...load],
  ]);
  const isDatagram = endpoint!.startsWith("udp:");
  return allAnswered(outcome, isDatagram ? droppedDatagrams() - droppedBefore : 0);
}

const needs = ["unbound"];

testWith(needs)("unbound answers every query over UDP, TCP and TLS", async () => {
  await using unbound = await Unbound.start();
  await Promise.all(
    unbound.ways().map(async (way) => {
      const snapshot = await ask(way, "example.com/A", "-r", "2000", "-t", "2s");
      const { messages, bytes } = snapshot;
      assert.ok(messages.due > 3500 && messages.due < 4500, `${messages.due} of about 4000`);
      assert.deepEqual(snapshot.answerStatuses, { NOERROR: messages.answered });
      assert.equal(bytes.sent, messages.sent * snapshot.messageBytes);
      // The question comes back with a record of 16 bytes behind it.
      assert.equal(bytes.received, messages.answered * (snapshot.messageBytes + 16));
    }),
  );
}, 30_000);

testWith(needs)("unbound's other response codes are counted by name", async () => {
  await using unbound = await Unbound.start();
  const expected = [
    ["example.com/AAAA", "NOERROR"],
    ["nothing.example.com/A", "NXDOMAIN"],
    ["example.org/A", "REFUSED"],
  ] as const;
  for (const [query, status] of expected) {
    await Promise.all(
      unbound.ways().map(async (way) => {
        const { answerStatuses, messages } = await ask(way, query, "-r", "500", "-t", "300ms");
        assert.deepEqual(answerStatuses, { [status]: messages.answered });
      }),
    );
  }
}, 30_000);

testWith(needs)(
  "answers of unbound that do not fit a datagram are counted as truncated",
  async () => {
    await using unbound = await Unbound.start();
    for (const way of unbound.ways()) {
      const snapshot = await ask(way, "big.example.com/TXT", "-r", "500", "-t", "300ms");
      const { answered } = snapshot.messages;
      const isDatagram = way[0].startsWith("udp:");
      assert.deepEqual(
        snapshot.answerStatuses,
        isDatagram ? { NOERROR: answered, truncated: answered } : { NOERROR: answered },
      );
      // The five strings of the record came whole, or not at all.
      const [least, most] = isDatagram ? [0, 512] : [1255, 1400];
      const perAnswer = snapshot.bytes.received / answered;
      assert.ok(perAnswer > least && perAnswer <= most, `${perAnswer} bytes`);
    }
  },
  30_000,
);

testWith(needs)("unbound ends in the middle of a run, and every query has its place", async () => {
  const unbound = await Unbound.start();
  const [, tcp] = unbound.ways();
  const running = runClient([...tcp!, "--codec", "dns", "-c", "20", "-r", "2000", "-t", "3s"]);
  await Bun.sleep(1500);
  await unbound[Symbol.asyncDispose]();
  const { exitCode, err, snapshot } = await running;
  assert.equal(exitCode, 4);
  assert.match(err, /^holdfast: tcp:[^\n]*Every connection ended before the run did: [^\n]*\n$/);
  assert.ok(snapshot !== undefined && snapshot.messages.answered > 0);
  assert.equal(snapshot.connections.lost, 20);
  assert.equal(snapshot.verdict?.kind, "stopped-by-limit");
}, 30_000);
