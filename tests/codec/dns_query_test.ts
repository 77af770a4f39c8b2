import assert from "node:assert/strict";
import { test } from "bun:test";
import { parseDnsQuery } from "../../lib/codec/dns_query.ts";
import { UsageError } from "../../lib/errors.ts";

const name = (text: string) => Buffer.from(parseDnsQuery(text).name).toString("latin1");

test("parseDnsQuery() encodes names as labels", () => {
  assert.equal(name("example.com/A"), "\x07example\x03com\0");
  assert.equal(name("example.com./A"), "\x07example\x03com\0");
  assert.equal(name("./NS"), "\0");
  assert.equal(name("a/A"), "\x01a\0");
  assert.equal(
    name("0/25.2.0.192.in-addr.arpa/PTR"),
    "\x040/25\x012\x010\x03192\x07in-addr\x04arpa\0",
  );
  assert.equal(name("_dns._tcp.x/SRV"), "\x04_dns\x04_tcp\x01x\0");
});

test("parseDnsQuery() reads the escapes of RFC 1035 section 5.1", () => {
  assert.equal(name("a\\.b.c/A"), "\x03a.b\x01c\0");
  assert.equal(name("\\000\\255\\\\/A"), "\x03\x00\xff\\\0");
  for (const bad of ["a\\/A", "a\\25/A", "a\\256/A", "a\\2/A", "a\\é/A"]) {
    assert.throws(() => parseDnsQuery(bad), UsageError, bad);
  }
});

test("parseDnsQuery() knows types by name and by number", () => {
  const types = { A: 1, AAAA: 28, NS: 2, MX: 15, TXT: 16, SOA: 6, CNAME: 5, PTR: 12, SRV: 33 };
  const more = { HTTPS: 65, ANY: 255, CAA: 257, DS: 43, DNSKEY: 48, TYPE0: 0, TYPE65535: 65_535 };
  for (const [type, value] of Object.entries({ ...types, ...more })) {
    assert.equal(parseDnsQuery(`example.com/${type}`).type, value);
    assert.equal(parseDnsQuery(`example.com/${type.toLowerCase()}`).type, value);
  }
});

test("parseDnsQuery() refuses what is not a query, in one line that repeats it", () => {
  const label64 = "x".repeat(64);
  const bad = [
    "",
    "/",
    "/A",
    "example.com",
    "example.com/",
    "example.com/B",
    "example.com/TYPE65536",
    "example.com/TYPE",
    "example.com/toString",
    "example..com/A",
    ".example.com/A",
    "../A",
    "ex ample.com/A",
    "bücher.example/A",
    "a\nb/A",
    `${label64}.com/A`,
    `${"x.".repeat(127)}xx/A`,
  ];
  for (const text of bad) {
    assert.throws(() => parseDnsQuery(text), (error) => {
      assert.ok(error instanceof UsageError, text);
      assert.ok(!error.message.includes("\n"));
      return error.message.includes(JSON.stringify(text));
    }, text);
  }
});

test("parseDnsQuery() takes labels of 63 and names of 255 bytes", () => {
  assert.equal(parseDnsQuery(`${"x".repeat(63)}/A`).name.length, 65);
  assert.equal(parseDnsQuery(`${"x.".repeat(127)}/A`).name.length, 255);
});
