import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { planSources } from "../../lib/client/sources.ts";
import { HoldfastError, HostLimitError, UsageError } from "../../lib/errors.ts";
import { SourceTable } from "../../lib/host/source_table.ts";
import { defaultSettings } from "../../lib/options/command_line.ts";
import { addressList } from "../../lib/options/address.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { allAnswered } from "../cli/client_process.ts";
import { expectUndisturbed, undisturbed } from "../load/disturbance.ts";
import { LocalServer } from "../server/running_server.ts";
import { LocalClient, runHere } from "./local_client.ts";

const onLinux = process.platform === "linux";

function planOf(endpoint: string, { sources, ...changes }: {
  sources?: string;
} & Partial<Omit<ClientSettings, "sources">>) {
  return planSources(parseEndpoint(endpoint), {
    ...defaultSettings(clientRows),
    ...changes,
    ...(sources === undefined ? {} : { sources: [addressList.parse(sources)] }),
  });
}

async function refuses(
  kind: typeof UsageError | typeof HostLimitError,
  why: RegExp,
  ...[endpoint, changes]: Parameters<typeof planOf>
): Promise<void> {
  await assert.rejects(planOf(endpoint, changes), (error) => {
    assert.ok(error instanceof HoldfastError && error instanceof kind, String(error));
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test("planSources() leaves the choice to the kernel where nothing is asked for", async () => {
  for (const scheme of ["tcp", "udp", "ws", "quic"]) {
    assert.equal(await planOf(`${scheme}://127.0.0.1:9`, { connections: 100 }), undefined);
  }
});

test("planSources() lists addresses once each, and no more than connections can use", async () => {
  const addressesOf = async (sources: string, connections: number) =>
    (await planOf("tcp://127.0.0.1:9", { sources, connections }))?.table.addresses;
  assert.deepEqual(await addressesOf("127.0.0.3,127.0.0.2,127.0.0.3,127.0.0.2/31", 10), [
    ...["127.0.0.3", "127.0.0.2"],
  ]);
  assert.deepEqual(await addressesOf("127.0.0.8/29", 10), [
    ...["127.0.0.9", "127.0.0.10", "127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"],
  ]);
  assert.deepEqual(await addressesOf("127.0.0.0/16", 2), ["127.0.0.1", "127.0.0.2"]);
  assert.deepEqual(await addressesOf("::1,127.0.0.7,127.0.0.8", 1), ["::1", "127.0.0.7"]);
});

test("planSources() refuses addresses that are of no use, in one line", async () => {
  const [tcp, six, outside] = ["tcp://127.0.0.1:9", "tcp://[::1]:9", "tcp://192.0.2.9:9"];
  // TEST-NET-1 (RFC 5737) and 2001:db8::/32 (RFC 3849) are nobody's.
  await refuses(
    HostLimitError,
    /^--source 192\.0\.2\.77 is no address of this host: it has .*ip address add 192\.0\.2\.77\/32/,
    tcp,
    { sources: "127.0.0.2,192.0.2.77", connections: 9 },
  );
  await refuses(HostLimitError, /^--source 192\.0\.2\.1 is no address/, tcp, {
    sources: "192.0.2.0/24",
    connections: 9,
  });
  await refuses(HostLimitError, /^--source 2001:db8::1 .*2001:db8::1\/128/, six, {
    sources: "2001:db8::1",
  });
  await refuses(UsageError, /127\.0\.0\.1 is IPv4, and every source address is IPv6/, tcp, {
    sources: "::1",
  });
  await refuses(UsageError, /::1 is IPv6, and every source address is IPv4/, six, {
    sources: "127.0.0.1",
  });
  await refuses(UsageError, /^--source 10\.0\.0\.0\/8 has 16777214 addresses, .*65536/, tcp, {
    sources: "10.0.0.0/8",
  });
  await refuses(
    UsageError,
    /--source 127\.0\.0\.1 is a loopback address.*192\.0\.2\.9 cannot/,
    outside,
    { sources: "127.0.0.1" },
  );
});

test("planSources() counts the pairs before the start", async () => {
  const tcp = "tcp://127.0.0.1:9";
  const sourcePorts = { first: 61_001, last: 61_010 };
  await refuses(
    HostLimitError,
    /^11 connections take a source port each, and \d+ of --source-ports 61001-61010 are free now; /,
    tcp,
    { sourcePorts, connections: 11 },
  );
  await refuses(
    HostLimitError,
    /^61 connections .* 61001-61010 on 6 source addresses come to \d+ that are free now; /,
    tcp,
    { sources: "127.3.0.0/29", sourcePorts, connections: 61 },
  );
  await refuses(
    HostLimitError,
    /^the connections take 61 UDP sockets with a source port each, /,
    "quic://127.0.0.1:9",
    { sources: "127.3.0.0/29", sourcePorts, connections: 610, connectionsPerSocket: 10 },
  );
  const quic = { sources: "127.3.0.0/29", sourcePorts, connections: 64 };
  const plan = await planOf("quic://127.0.0.1:9", quic);
  assert.equal(plan?.table.protocol, "udp");
});

/** Ports that the kernel chooses from. */
function kernelsPorts(): number {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1");
  const [first, last] = range.trim().split(/\s+/).map(Number);
  return last! - first! + 1;
}

test.if(onLinux)(
  "planSources() spreads over 127.0.0.0/8 where one address is too few",
  async () => {
    const connections = 3 * kernelsPorts();
    for (const host of ["127.0.0.1", "localhost", "127.9.9.9"]) {
      for (const scheme of ["tcp", "udp", "ws"]) {
        const plan = await planOf(`${scheme}://${host}:9`, { connections });
        const { addresses } = plan!.table;
        assert.equal(addresses[0], "127.0.0.1");
        assert.ok(addresses.length === 4 || addresses.length === 5, `${addresses}`);
        assert.ok(new SourceTable(plan!.table).free(false) > connections);
        const target = host === "localhost" ? "127.0.0.1" : host;
        assert.ok(plan!.note!.includes(`${connections} connections are more than one source`));
        assert.ok(plan!.note!.endsWith(`to ${target} from 127.0.0.1 to ${addresses.at(-1)}`));
      }
    }
    const [six, outside] = ["tcp://[::1]:9", "tcp://192.0.2.9:9"];
    await refuses(HostLimitError, /::1; name the target as 127\.0\.0\.1, .*widen the range/, six, {
      connections,
    });
    await refuses(
      HostLimitError,
      /are free now towards 192\.0\.2\.9; give several addresses .*--source/,
      outside,
      { connections },
    );
  },
);

test.if(onLinux)("planSources() over many workers counts all connections", async () => {
  const settings = { ...defaultSettings(clientRows), connections: 10 };
  const endpoint = parseEndpoint("ws://127.0.0.1:9");
  const plan = await planSources(endpoint, settings, 1_000_000);
  assert.ok(new SourceTable(plan!.table).free(false) >= 1_000_000);
});

/** Source addresses of the sockets that lead to a port, with how many each has. */
function addressesTowards(protocol: "tcp" | "udp", port: number, isConnected: boolean) {
  const counts = new Map<string, number>();
  const hexPort = (isConnected ? port : 0).toString(16).toUpperCase().padStart(4, "0");
  for (const line of readFileSync(`/proc/net/${protocol}`, "latin1").split("\n")) {
    const match = /^ *\d+: ([0-9A-F]{8}):[0-9A-F]{4} [0-9A-F]{8}:([0-9A-F]{4}) (..)/.exec(line);
    if (match === null || match[2] !== hexPort || match[3] === "06") continue;
    const bytes = match[1]!.match(/../g)!.map((byte) => parseInt(byte, 16)).reverse();
    const address = bytes.join(".");
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  return counts;
}

for (const scheme of ["tcp", "tls", "udp", "ws", "wss", "quic"] as const) {
  test.if(onLinux)(`--source addresses take turns: ${scheme}`, async () => {
    await using server = await LocalServer.start([`${scheme}://127.0.0.1:0`]);
    const port = server.portOf(scheme);
    const isSecure = ["tls", "wss", "quic"].includes(scheme);
    const client = new LocalClient(`${scheme}://127.0.0.1:${port}`, {
      sources: [addressList.parse("127.7.0.1,127.7.0.2"), addressList.parse("127.7.0.4/31")],
      connections: 12,
      ...(scheme === "quic" ? { connectionsPerSocket: 1 } : {}),
      ...(isSecure ? { insecure: true } : {}),
      connectRatePerSecond: 200,
      ratePerSecond: 100,
      durationMs: 1500,
      verify: true,
    });
    const expected = ["127.7.0.1", "127.7.0.2", "127.7.0.4", "127.7.0.5"].map((at) => [at, 3]);
    let seen: unknown;
    const isDatagram = scheme === "udp" || scheme === "quic";
    for (let tries = 0; tries < 200; tries++) {
      const all = addressesTowards(isDatagram ? "udp" : "tcp", port, scheme !== "quic");
      seen = [...all].filter(([address]) => address.startsWith("127.7.")).sort();
      if (JSON.stringify(seen) === JSON.stringify(expected)) break;
      await Bun.sleep(10);
    }
    assert.deepEqual(seen, expected);
    allAnswered(await client.ended);
  }, 30_000);
}

test("--source goes with --source-ports", () =>
  undisturbed(5, async () => {
    await using server = await LocalServer.start(["tcp://127.0.0.1:0"]);
    const first = 61_000 + Math.floor(Math.random() * 4000);
    const endpoint = `tcp://127.0.0.1:${server.portOf("tcp")}`;
    const outcome = await runHere(endpoint, {
      sources: [addressList.parse("127.0.0.51,127.0.0.52")],
      sourcePorts: { first, last: first + 1 },
      connections: 4,
      durationMs: 100,
    });
    expectUndisturbed(outcome.snapshot?.connections.opened === 4, outcome.err);
    assert.equal(outcome.exitCode, 0, outcome.err);
  }));

test("--source-ports follow the address of a name that answers, whatever its family", async () => {
  for (const host of ["127.0.0.1", "[::1]"]) {
    await undisturbed(5, async () => {
      await using server = await LocalServer.start([`tcp://${host}:0`]);
      const first = 61_000 + Math.floor(Math.random() * 4000);
      const outcome = await runHere(`tcp://localhost:${server.portOf("tcp")}`, {
        sourcePorts: { first, last: first + 19 },
        connections: 5,
        durationMs: 100,
      });
      expectUndisturbed(outcome.snapshot?.connections.opened === 5, outcome.err);
      assert.equal(outcome.exitCode, 0, outcome.err);
    });
  }
});
