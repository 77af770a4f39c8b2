import { test } from "bun:test";
import assert from "node:assert/strict";
import { main } from "../../lib/cli/main.ts";
import { assertOneLine, inDirectory } from "./bad_input.ts";
import { CollectedIo } from "./collected_io.ts";

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
  ["client tcp://:1 -c most", 2, /--connections: "most" is not a whole number/],
  ["client tcp://:1 -c max -r 5", 2, /--rate and --connections max contradict each other/],
  ["client tcp://:1 -c max --inflight 5", 2, /--inflight and --connections max contradict/],
  ["client tcp://:1 -c max --warmup 1s", 2, /--warmup has no meaning in a ramp/],
  ["p2p local --mode explore --warmup 1s", 2, /--warmup and --mode explore contradict each other/],
  ["client tcp://:1 --step 500", 2, /--step: "500" is not a step; .* such as 500\/10s/],
  ["client tcp://:1 --step 500/10", 2, /--step: "10" has no unit/],
  ["client tcp://:1 --step 0/1s", 2, /--step: "0" is not a whole number/],
  ["client tcp://:1 --step 5/1s --stages 1s:5", 2, /--step and --stages contradict each other/],
  ["client tcp://:1 --break-when response.p99<1s", 2, /"response.p99<1s" is not of the form/],
  ["client tcp://:1 --break-when speed>1", 2, /unknown metric "speed"/],
  ["client tcp://:1 --server-stats localhost:1", 2, /--server-stats has no effect without/],
  ["client tcp://:1 -c max --server-stats ftp://x", 2, /"ftp:\/\/x" is not the URL of a server's/],
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
    const argv = line.replaceAll("@", inDirectory("")).split(" ");
    const code = await main(argv, {}, io, AbortSignal.timeout(10_000));
    const noted = io.noteLines.map((note) => `${note}\n`).join("");
    assertOneLine(noted);
    assert.match(noted, message);
    assert.equal(code, exitCode);
    assert.deepEqual(io.outLines, []);
  });
}
