import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { dividedNotes, divideEndpoints } from "../../lib/server/divided_endpoints.ts";
import { formatEndpoint, parseEndpoint } from "../../lib/transport/endpoint.ts";

function divide(workers: number, ...endpoints: string[]): string[][] {
  return divideEndpoints(endpoints.map(parseEndpoint), workers).map((shares) =>
    shares.map(({ position, endpoint }) => `${position} ${formatEndpoint(endpoint)}`)
  );
}

test("divideEndpoints() shares ports, and deals those of QUIC out", () => {
  assert.deepEqual(divide(2, "tcp://:1", "quic://:10-13", "udp://:2"), [
    ["0 tcp://:1", "1 quic://:10-11", "2 udp://:2"],
    ["0 tcp://:1", "1 quic://:12-13", "2 udp://:2"],
  ]);
  for (const [ports, workers] of [[7, 3], [32, 5], [4, 4], [10, 4]] as const) {
    const shares = divideEndpoints([parseEndpoint(`quic://:100-${99 + ports}`)], workers);
    const own = shares.map(([share]) => share!.endpoint);
    assert.equal(own[0]!.port, 100);
    assert.equal(own.at(-1)!.lastPort, 99 + ports);
    for (const [index, { port }] of own.entries()) {
      if (index > 0) assert.equal(port, own[index - 1]!.lastPort + 1);
    }
    const counts = own.map(({ port, lastPort }) => lastPort - port + 1);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, String(counts));
  }
});

test("divideEndpoints() leaves QUIC to the first workers where there are too few ports", () => {
  assert.deepEqual(divide(3, "quic://:0", "tcp://:1"), [
    ["0 quic://:0", "1 tcp://:1"],
    ["1 tcp://:1"],
    ["1 tcp://:1"],
  ]);
  const endpoints = ["quic://:10-11", "tcp://:1"].map(parseEndpoint);
  const [note, ...more] = dividedNotes(endpoints, 3);
  assert.match(note!, /^quic:\/\/:10-11 is served by 2 of the 3 workers: /);
  assert.deepEqual(more, []);
  assert.deepEqual(dividedNotes(endpoints, 2), []);
  assert.throws(() => divide(3, "quic://:10-11"), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /too few ports for --workers 3.*1 workers? would have none/);
    return true;
  });
});
