import { test } from "bun:test";
import assert from "node:assert/strict";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { fillInRamp, isRamp, mostConnections, ownLimit } from "../../lib/client/ramp_settings.ts";
import { fdLimits } from "../../lib/host/libc.ts";
import { reservedFds } from "../../lib/host/limits.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { countOrMax } from "../../lib/options/quantity.ts";
import { step } from "../../lib/options/step.ts";
import { defaultBreakConditions } from "../../lib/stats/break_condition.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";

const endpoint = parseEndpoint("tcp://127.0.0.1:1");

function filled(changes: Partial<ClientSettings>) {
  return fillInRamp(commandLineOf(clientRows, ["tcp://127.0.0.1:1"], changes), endpoint);
}

test("isRamp() holds with max, --step or --break-when", () => {
  const { settings } = commandLineOf(clientRows, []);
  assert.equal(isRamp(settings), false);
  assert.equal(isRamp({ ...settings, connections: Infinity }), true);
  assert.equal(isRamp({ ...settings, step: { connections: 5, holdMs: 1000 } }), true);
  assert.equal(isRamp({ ...settings, breakConditions: ["lost>0"] }), true);
});

test("fillInRamp() leaves other runs alone", () => {
  const commandLine = commandLineOf(clientRows, [], { connections: 5 });
  const { most, notes, commandLine: same } = fillInRamp(commandLine, endpoint);
  assert.equal(same, commandLine);
  assert.deepEqual([most, notes], [undefined, []]);
});

test("fillInRamp() makes a number of max, and sends once a second", () => {
  const { commandLine, most, notes } = filled({ connections: Infinity });
  const { settings, rendered } = commandLine;
  assert.equal(settings.connections, most?.connections);
  assert.ok(Number.isInteger(settings.connections) && settings.connections > 0);
  assert.equal(settings.intervalMs, 1000);
  assert.deepEqual(settings.breakConditions, defaultBreakConditions);
  assert.equal(isRamp(settings), true, "still, though the number is finite");
  assert.match(notes.join("\\n"), /opening up to .*every second; --interval/s);
  assert.equal(rendered["interval"], "1s");
  assert.equal(rendered["connections"], `max (${settings.connections})`);
  // A step alone says nothing of an end.
  const stepped = filled({ step: { connections: 5, holdMs: 1000 } });
  assert.equal(stepped.commandLine.settings.connections, most?.connections);
});

test("fillInRamp() keeps what is given", () => {
  const { commandLine: { settings }, most, notes } = filled({
    connections: 50,
    intervalMs: 20,
    breakConditions: ["response.p99>1ms"],
  });
  assert.deepEqual([settings.connections, settings.intervalMs], [50, 20]);
  assert.deepEqual([most, notes], [undefined, []]);
  assert.deepEqual(settings.breakConditions, [
    "response.p99>1ms",
    ...defaultBreakConditions.filter((text) => !text.startsWith("response.p99")),
  ]);
});

test("mostConnections() stays below the descriptor limit and the memory", () => {
  const { soft } = fdLimits();
  const tcp = mostConnections("tcp", 32);
  assert.ok(tcp.connections <= soft - reservedFds);
  assert.equal(tcp.limit === "file descriptors", tcp.connections === soft - reservedFds);
  const quic = mostConnections("quic", 32);
  assert.ok(quic.connections <= (soft - reservedFds) * 32);
  for (const most of [tcp, quic]) {
    const limit = ownLimit(most);
    assert.deepEqual([limit.side, limit.name], ["client", most.limit]);
    assert.match(limit.statement, /^This host can hold no more: all [\d,]+ connections/);
  }
});

test("countOrMax and step read what they write", () => {
  assert.equal(countOrMax.parse("max"), Infinity);
  assert.equal(countOrMax.format(Infinity), "max");
  assert.equal(countOrMax.parse("1k"), 1000);
  for (const text of ["500/10s", "1/1ms", "20000/1m"]) {
    assert.equal(step.format(step.parse(text)), text);
  }
  assert.throws(() => step.parse("500/10s/1"), /is not a step/);
  assert.throws(() => step.parse("500/0"), /is no time at all/);
});
