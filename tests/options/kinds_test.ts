import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { addressList, portRange, statsAddress } from "../../lib/options/address.ts";
import { duration, maxDurationMs, positiveDuration } from "../../lib/options/duration.ts";
import type { Kind } from "../../lib/options/kind.ts";
import { label, labelRecord } from "../../lib/options/label.ts";
import { count, countBetween, rate, seed, size } from "../../lib/options/quantity.ts";
import { step } from "../../lib/options/step.ts";
import { choice, file, fileOrStream, flag, protocolName, text } from "../../lib/options/text.ts";

/** Checks what texts mean, that the values come back from what they are shown as, and refusals. */
function checkKind<T>(kind: Kind<T>, meanings: [string, T][], refused: [string, RegExp][]): void {
  for (const [written, value] of meanings) {
    assert.deepEqual(kind.parse(written), value, written);
    assert.deepEqual(kind.parse(kind.format(value)), value, `${written} shown and read again`);
  }
  for (const [written, message] of refused) {
    assert.throws(
      () => kind.parse(written),
      (error) => {
        assert.ok(error instanceof UsageError, `${written}: ${error}`);
        assert.match(error.message, message, written);
        assert.ok(!error.message.includes("\n"), written);
        return true;
      },
      `${JSON.stringify(written)} was accepted`,
    );
  }
}

test("duration reads numbers with units, in milliseconds", () => {
  checkKind(duration, [
    ["0", 0],
    ["0s", 0],
    ["500ms", 500],
    ["1.5s", 1500],
    [".5s", 500],
    ["0.1ms", 0.1],
    ["250us", 0.25],
    ["250µs", 0.25],
    ["2m", 120_000],
    ["1m30s", 90_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["24d", maxDurationMs],
    ["1234.5ms", 1234.5],
    ["0.3s", 300],
  ], [
    ["10", /^"10" has no unit; write 10s for seconds, or 10ms$/],
    ["1.5", /write 1\.5s/],
    ["", /not a duration/],
    ["-1s", /not a duration.*500ms/],
    ["1 s", /not a duration/],
    ["1S", /not a duration/],
    ["5sx", /not a duration/],
    ["1e3s", /not a duration/],
    ["25d", /longer than 24d/],
    ["99999999999999999999h", /longer than 24d/],
  ]);
});

test("positiveDuration refuses no time at all", () => {
  checkKind(positiveDuration, [["1us", 0.001]], [["0", /no time/], ["0ms", /no time/]]);
});

test("step reads a number of connections and how long to hold after them", () => {
  assert.deepEqual(step.parse("1k/10s"), { connections: 1000, holdMs: 10_000 });
  assert.equal(step.format({ connections: 500, holdMs: 1500 }), "500/1.5s");
  for (const wrong of ["", "10", "10/", "/1s", "0/1s", "10/0s", "10/1s/2"]) {
    assert.throws(() => step.parse(wrong), UsageError, wrong);
  }
});

test("rate reads numbers per second", () => {
  checkKind(rate, [
    ["50000", 50_000],
    ["50k", 50_000],
    ["1.2M", 1_200_000],
    ["1.1M", 1_100_000],
    ["0.5", 0.5],
    ["500/s", 500],
    ["50k/s", 50_000],
    ["1G", 1e9],
  ], [
    ["0", /above 0/],
    ["", /not a rate/],
    ["-5", /not a rate/],
    ["5K", /not a rate/],
    ["5/m", /not a rate/],
    ["2G", /up to 1G/],
    ["1e3", /such as 500, 50k or 1\.2M/],
    ["NaN", /not a rate/],
    ["Infinity", /not a rate/],
  ]);
});

test("count reads whole numbers", () => {
  checkKind(count, [["1", 1], ["1000", 1000], ["1k", 1000], ["1.5k", 1500], ["1M", 1e6]], [
    ["0", /from 1 to/],
    ["1.5", /whole number/],
    ["1,000", /whole number/],
    ["-1", /whole number/],
    ["3G", /whole number/],
    ["0x10", /whole number/],
    ["", /whole number/],
  ]);
  checkKind(countBetween(1, 8), [["8", 8]], [["9", /from 1 to 8, such as 1$/]]);
});

test("seed reads 32 bits", () => {
  checkKind(seed, [["0", 0], ["42", 42], ["4294967295", 0xffffffff]], [["4294967296", /whole/]]);
});

test("size reads bytes, decimal and binary", () => {
  checkKind(size, [
    ["64", 64],
    ["64B", 64],
    ["64KiB", 65_536],
    ["1MB", 1_000_000],
    ["1kB", 1000],
    ["16MiB", 16_777_216],
    ["1.5KiB", 1536],
    ["1023", 1023],
  ], [
    ["4k", /write 4kB \(decimal\) or 4KiB \(binary\)/],
    ["4M", /write 4MB \(decimal\) or 4MiB \(binary\)/],
    ["0", /not a size/],
    ["1.5", /whole bytes/],
    ["64 KiB", /not a size/],
    ["-1", /not a size/],
    ["10GiB", /up to|to 2GB/],
    ["B", /not a size/],
    ["4kib", /not a size/],
  ]);
});

test("portRange reads first-last", () => {
  checkKind(portRange, [
    ["1024-65535", { first: 1024, last: 65_535 }],
    ["5000", { first: 5000, last: 5000 }],
  ], [
    ["0-5", /from 1 to 65535/],
    ["5-4", /first ≤ last/],
    ["1-65536", /65535/],
    ["1-2-3", /first-last/],
    ["a-b", /first-last/],
    ["", /first-last/],
  ]);
});

test("statsAddress reads where to listen", () => {
  checkKind(statsAddress, [
    ["off", "off"],
    ["9464", { host: "127.0.0.1", port: 9464 }],
    ["0", { host: "127.0.0.1", port: 0 }],
    [":9464", { host: "", port: 9464 }],
    ["0.0.0.0:80", { host: "0.0.0.0", port: 80 }],
    ["[::1]:9464", { host: "::1", port: 9464 }],
    ["box.example:1", { host: "box.example", port: 1 }],
  ], [
    ["", /host:port/],
    ["box", /host:port/],
    ["::1:9464", /host:port/],
    ["box:65536", /host:port/],
    ["http://box:1", /host:port/],
    ["box:", /host:port/],
    ["false", /or off/],
  ]);
});

test("label reads key=value", () => {
  checkKind(label, [
    ["a=b", { key: "a", value: "b" }],
    ["run.id=x=y z", { key: "run.id", value: "x=y z" }],
    ["a=", { key: "a", value: "" }],
  ], [["a", /key=value/], ["=b", /key=value/], ["a b=c", /key of letters/], ["", /key=value/]]);
});

test("labelRecord() refuses a key that is there twice", () => {
  const a = { key: "a", value: "1" };
  assert.deepEqual(labelRecord([a, { key: "b", value: "2" }]), { a: "1", b: "2" });
  assert.throws(() => labelRecord([a, { key: "a", value: "2" }]), /"a" is given twice/);
});

test("labelRecord() keeps a key that objects have by nature", () => {
  assert.deepEqual(
    Object.entries(labelRecord([label.parse("constructor=1"), label.parse("__proto__=2")])),
    [["constructor", "1"], ["__proto__", "2"]],
  );
});

test("text, file, choice, flag and protocolName say what they expect", () => {
  checkKind(text, [["a b", "a b"]], [["", /empty/]]);
  checkKind(file, [["./-", "./-"], ["a b", "a b"]], [
    ["", /empty/],
    ["-", /write \.\/-/],
    ["a\0b", /not a file name/],
  ]);
  checkKind(fileOrStream, [["-", "-"], ["x.csv", "x.csv"]], [["", /empty/]]);
  checkKind(choice("echo", "dns"), [["dns", "dns"], ["DNS", "dns"]], [
    ["dsn", /^"dsn" is unknown; use echo or dns$/],
  ]);
  checkKind(flag, [["1", true], ["yes", true], ["false", false], ["0", false]], [
    ["maybe", /neither true nor false/],
  ]);
  checkKind(protocolName, [["h3", "h3"]], [["", /1 to 255/], ["x".repeat(256), /has 256/]]);
});

test("parse() of every kind gives a value or a UsageError for random text", () => {
  const alphabet = "0123456789.-+kKMGiBsmhdu/:=[]eEx, \0µ";
  const characters = [...alphabet];
  // A fixed sequence: what fails once fails again.
  let state = 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const kinds: Kind<unknown>[] = [
    duration,
    positiveDuration,
    rate,
    count,
    seed,
    size,
    portRange,
    statsAddress,
    label,
    file,
  ];
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    const length = next(8);
    const written = Array.from({ length }, () => characters[next(characters.length)]).join("");
    for (const kind of kinds) {
      let value: unknown;
      try {
        value = kind.parse(written);
      } catch (error) {
        assert.ok(error instanceof UsageError, `${JSON.stringify(written)}: ${error}`);
        continue;
      }
      accepted++;
      assert.ok(!Number.isNaN(value), JSON.stringify(written));
      assert.deepEqual(kind.parse(kind.format(value)), value, JSON.stringify(written));
    }
  }
  assert.ok(accepted > 1000, `only ${accepted} were accepted`);
});

test("addressList reads addresses and blocks of both families", () => {
  checkKind(addressList, [
    ["10.0.0.5", [{ address: "10.0.0.5" }]],
    ["10.0.0.5, 10.0.0.7", [{ address: "10.0.0.5" }, { address: "10.0.0.7" }]],
    ["::1,[fd00::5]", [{ address: "::1" }, { address: "fd00::5" }]],
    ["10.0.0.0/8", [{ address: "10.0.0.0", prefixLength: 8 }]],
    ["fd00::/120,10.1.2.3/32", [
      { address: "fd00::", prefixLength: 120 },
      { address: "10.1.2.3", prefixLength: 32 },
    ]],
    ["0.0.0.0/0", [{ address: "0.0.0.0", prefixLength: 0 }]],
  ], [
    ["", /"" is not an IP address; write 10\.0\.0\.5/],
    ["10.0.0.5,", /"" is not an IP address/],
    ["localhost", /"localhost" is not an IP address/],
    ["10.0.0", /not an IP address/],
    ["10.0.0.256", /not an IP address/],
    ["10.0.0.0/33", /prefix length 33; an IPv4 address has 32 bits/],
    ["::/129", /prefix length 129; an IPv6 address has 128 bits/],
    ["10.0.0.0/", /not an IP address/],
    ["10.0.0.0/-1", /not an IP address/],
    ["fe80::1%eth0", /not an IP address/],
    ["10.0.0.5:80", /not an IP address/],
  ]);
});
