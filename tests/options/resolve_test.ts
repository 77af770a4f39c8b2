import { test } from "bun:test";
import assert from "node:assert/strict";
import { checkForScheme, clientRows } from "../../lib/client/options.ts";
import { UsageError } from "../../lib/errors.ts";
import { commandLineOf, defaultSettings, renderSettings } from "../../lib/options/command_line.ts";
import { givenByEnvironment, type GivenText, resolve } from "../../lib/options/resolve.ts";
import type { Rows } from "../../lib/options/row.ts";
import { checkForEndpoints, serverRows } from "../../lib/server/options.ts";

/** Texts as the command line would give them. */
function byFlags(rows: Rows, texts: Record<string, string | string[]>): Map<string, GivenText> {
  return new Map(
    Object.entries(texts).map(([key, text]) => [
      key,
      { texts: [text].flat(), source: `--${rows[key]?.name}` },
    ]),
  );
}

const ofClient = (texts: Record<string, string | string[]>) =>
  resolve(clientRows, byFlags(clientRows, texts));

function refuses(texts: Record<string, string | string[]>, message: string): void {
  assert.throws(() => ofClient(texts), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.equal(error.message, message);
    return true;
  });
}

test("resolve() gives defaults where nothing is given", () => {
  const { settings, given } = resolve(clientRows, new Map());
  assert.equal(given.size, 0);
  assert.deepEqual(settings, defaultSettings(clientRows));
  assert.equal(settings.connections, 1);
  assert.equal(settings.ratePerSecond, undefined);
  assert.deepEqual(settings.labels, []);
  assert.equal(settings.verify, false);
});

test("resolve() parses values and says which were given", () => {
  const { settings, given } = ofClient({
    connections: "5k",
    ratePerSecond: "1.2M",
    timeoutMs: "1.5s",
    verify: "true",
    labels: ["a=1", "b=2"],
  });
  assert.equal(settings.connections, 5000);
  assert.equal(settings.ratePerSecond, 1_200_000);
  assert.equal(settings.timeoutMs, 1500);
  assert.equal(settings.verify, true);
  assert.deepEqual(settings.labels, [{ key: "a", value: "1" }, { key: "b", value: "2" }]);
  assert.deepEqual([...given].sort(), [
    "connections",
    "labels",
    "ratePerSecond",
    "timeoutMs",
    "verify",
  ]);
});

test("resolve() names the option of a wrong value", () => {
  refuses({ timeoutMs: "10" }, '--timeout: "10" has no unit; write 10s for seconds, or 10ms');
});

test("resolve() refuses an option that is given twice, unless it is repeatable", () => {
  refuses({ ratePerSecond: ["5", "6"] }, "--rate is given 2 times (5, 6); once is all");
});

test("resolve() refuses every two ways to say when messages are due", () => {
  const ways = {
    ratePerSecond: "5",
    intervalMs: "1s",
    inflight: "1",
    stages: "x",
    scheduleFile: "-",
  };
  for (const first of Object.keys(ways) as (keyof typeof ways)[]) {
    ofClient({ [first]: ways[first] });
    for (const second of Object.keys(ways) as (keyof typeof ways)[]) {
      if (first === second) continue;
      const both = { [first]: ways[first], [second]: ways[second] };
      // A schedule of slopes starts from the rate; one of levels is refused when it is read.
      if ("ratePerSecond" in both && "scheduleFile" in both) {
        ofClient(both);
        continue;
      }
      assert.throws(() => ofClient(both), /^UsageError: --\w+ and --\w+ contradict each other/);
    }
  }
});

test("resolve() refuses options that have no effect", () => {
  const rate = { ratePerSecond: "5" };
  refuses(
    { arrivals: "uniform" },
    "--arrivals has no effect without --rate, --stages or --schedule",
  );
  refuses(
    { arrivals: "uniform", intervalMs: "1s" },
    "--arrivals has no effect without --rate, --stages or --schedule",
  );
  refuses({ ...rate, query: "a/A" }, "--query has no effect without --codec dns");
  refuses({ certFile: "c" }, "--cert has no effect without --key");
  refuses({ keyFile: "c" }, "--key has no effect without --cert");
  refuses(
    { sizeBytes: "5" },
    "--size has no effect without --rate, --stages, --schedule, --interval, --inflight, " +
      "--connections max, --step or --break-when",
  );
  refuses(
    { ...rate, scheduleFormat: "slope" },
    "--schedule-format has no effect without --schedule",
  );
});

test("resolve() refuses options that contradict each other", () => {
  const rate = { ratePerSecond: "5" };
  refuses(
    { ...rate, codec: "dns", sizeBytes: "5" },
    "--size and --codec dns contradict each other; drop one",
  );
  refuses(
    { insecure: "true", caFile: "f" },
    "--insecure and --ca contradict each other; drop one",
  );
  refuses(
    { ...rate, arrivals: "uniform", seed: "1" },
    "--seed and --arrivals uniform contradict each other; drop one",
  );
  refuses(
    { stages: "10s:5", durationMs: "5s" },
    "--duration and --stages contradict each other; drop one",
  );
  assert.throws(
    () => resolve(serverRows, byFlags(serverRows, { reportEveryMs: "1s", quiet: "true" })),
    /--report-every and --quiet/,
  );
});

test("resolve() takes a flag that is turned off as absent", () => {
  const { settings } = ofClient({ insecure: "false", caFile: "f" });
  assert.equal(settings.insecure, false);
});

test("resolve() allows what belongs together", () => {
  const { settings } = ofClient({ ratePerSecond: "5", codec: "dns", query: "a.test/AAAA" });
  assert.equal(settings.query, "a.test/AAAA");
  ofClient({ certFile: "c", keyFile: "k" });
  ofClient({ scheduleFile: "-", scheduleFormat: "slope", arrivals: "poisson", seed: "7" });
});

test("givenByEnvironment() reads variables, and several values between semicolons", () => {
  const given = givenByEnvironment(clientRows, {
    HOLDFAST_CONNECT_RATE: "20",
    HOLDFAST_EXPECT: "response.p99<10ms; lost==0;",
    HOLDFAST_VERIFY: "1",
    HOLDFAST_SIZE: " ",
    HOLDFAST_NOTHING: "x",
    RATE: "5",
  });
  assert.deepEqual(
    new Map(given),
    new Map<string, GivenText>([
      ["connectRatePerSecond", { texts: ["20"], source: "HOLDFAST_CONNECT_RATE" }],
      ["verify", { texts: ["1"], source: "HOLDFAST_VERIFY" }],
      ["expectations", { texts: ["response.p99<10ms", "lost==0"], source: "HOLDFAST_EXPECT" }],
    ]),
  );
});

test("resolve() names the variable of a wrong value or a contradiction", () => {
  const resolveEnvironment = (environment: Record<string, string>) =>
    resolve(clientRows, givenByEnvironment(clientRows, environment));
  assert.throws(
    () => resolveEnvironment({ HOLDFAST_RATE: "x" }),
    /^UsageError: HOLDFAST_RATE: "x"/,
  );
  assert.throws(
    () => resolveEnvironment({ HOLDFAST_RATE: "5", HOLDFAST_INTERVAL: "1s" }),
    /HOLDFAST_RATE and HOLDFAST_INTERVAL contradict/,
  );
  assert.throws(() => resolveEnvironment({ HOLDFAST_INSECURE: "perhaps" }), /neither true nor/);
});

test("checkForScheme() refuses options without meaning on the endpoint", () => {
  const check = (scheme: string, texts: Record<string, string | string[]>) =>
    checkForScheme(scheme, ofClient(texts));
  const rate = { ratePerSecond: "5" };
  check("quic", { ...rate, datagrams: "true" });
  check("tls", { caFile: "f", alpn: ["dot"] });
  check("tcp", { ...rate, codec: "dns" });
  check("ws", { ...rate, codec: "echo" });
  check("tcp", { insecure: "false" });
  assert.throws(
    () => check("tcp", { ...rate, datagrams: "true" }),
    /^UsageError: --datagrams applies to quic endpoints, not to tcp$/,
  );
  assert.throws(() => check("tcp", { caFile: "f" }), /--ca applies to tls, wss or quic endpoints/);
  assert.throws(() => check("wss", { alpn: ["h2"] }), /--alpn applies to tls or quic endpoints/);
  assert.throws(
    () => check("ws", { ...rate, codec: "dns" }),
    /--codec dns applies to udp, tcp or tls endpoints, not to ws/,
  );
});

test("checkForEndpoints() wants one endpoint at least that an option applies to", () => {
  const line = resolve(serverRows, byFlags(serverRows, { certFile: "c", keyFile: "k" }));
  checkForEndpoints(["tcp", "tls"], line);
  assert.throws(
    () => checkForEndpoints(["tcp", "udp", "tcp"], line),
    /applies to tls, wss or quic endpoints, not to tcp or udp/,
  );
});

test("renderSettings() shows what is in force, as it would be typed", () => {
  const { settings } = ofClient({
    ratePerSecond: "50k",
    verify: "true",
    labels: ["a=1", "b=2"],
    statsAddress: "off",
  });
  const rendered = renderSettings(clientRows, settings);
  assert.equal(rendered["rate"], "50000/s");
  assert.equal(rendered["verify"], "true");
  assert.equal(rendered["label"], "a=1; b=2");
  assert.equal(rendered["stats"], "off");
  assert.equal(rendered["duration"], "10s");
  // Neither what is off, nor what is absent, nor defaults that mean nothing beside a rate.
  for (const name of ["insecure", "interval", "schedule-format", "query"]) {
    assert.ok(!(name in rendered), name);
  }
  // A run that only holds connections has no messages to describe; stages say how long they last.
  assert.ok(!("size" in renderSettings(clientRows, defaultSettings(clientRows))));
  assert.ok(!("duration" in renderSettings(clientRows, ofClient({ stages: "5s:1" }).settings)));
});

test("renderSettings() gives texts that resolve to the same settings", () => {
  const { settings } = ofClient({
    connections: "5k",
    intervalMs: "1m30s",
    sizeBytes: "64KiB",
    expectations: ["response.p99<10ms", "lost==0"],
    sourcePorts: "1024-65535",
    sources: ["127.0.0.2,10.0.0.0/28", "fd00::/120"],
  });
  const rendered = renderSettings(clientRows, settings);
  const environment = Object.fromEntries(
    Object.entries(rendered).map((
      [name, text],
    ) => [`HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`, text]),
  );
  const again = resolve(clientRows, givenByEnvironment(clientRows, environment));
  assert.deepEqual(again.settings, settings);
});

test("commandLineOf() gives a subcommand its settings without a command line", () => {
  const line = commandLineOf(clientRows, ["tcp://:1"], { ratePerSecond: 5 });
  assert.equal(line.settings.ratePerSecond, 5);
  assert.equal(line.settings.timeoutMs, 5000);
  assert.deepEqual([...line.given], ["ratePerSecond"]);
  assert.equal(line.rendered["rate"], "5/s");
});
