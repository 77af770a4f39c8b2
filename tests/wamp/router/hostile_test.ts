import { test } from "bun:test";
import assert from "node:assert/strict";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";
import { until, withRouter } from "./local_router.ts";
import { RawClient, unreadable } from "./raw_client.ts";

/** A generator that gives the same numbers in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

const values = [
  null,
  true,
  0,
  1,
  -1,
  1.5,
  2 ** 53,
  "",
  "com.example.a",
  "wamp.session.kill_all",
  "a..b",
  [],
  [1],
  {},
  { match: "prefix" },
  { match: 7, invoke: [], timeout: "x", exclude: 3, eligible: {}, acknowledge: true, mode: [] },
  { receive_progress: true, timeout: -1, exclude: [null], disclose_me: 1 },
  new Uint8Array([0, 255]),
];
const codes = [1, 2, 3, 5, 6, 8, 16, 32, 34, 48, 49, 64, 66, 70, 68, 36, 99];

test("messages that make no sense end one session, and nothing else", async () => {
  await withRouter(async ({ ws, router, notes }) => {
    const witness = await RawClient.join(ws);
    await witness.ask([32, 1, {}, "com.witness"]);
    const random = numbers(1);
    for (let round = 0; round < 150; round++) {
      const serializer = serializers[round % 3]!;
      const client = await RawClient.join(ws, {}, serializer);
      const target = await client.ask([64, 1, {}, `com.proc${round}`]);
      assert.equal(target[0], 65);
      for (let count = 0; count < 30; count++) {
        const message: unknown[] = [codes[random(codes.length)]];
        for (let length = random(6); length > 0; length--) {
          message.push(values[random(values.length)]);
        }
        // Half of them begin as they should.
        if (random(2) === 0) message.splice(1, 2, count + 2, values[14 + random(3)]);
        client.send(message);
      }
      client.close();
    }
    await until(() => router.realmOf("realm1")!.sessions.size === 1);
    assert.deepEqual(notes, []);
    assert.equal(router.counters.failures, 0);
    const realm = router.realmOf("realm1")!;
    assert.equal(realm.broker.subscriptions.size, 1);
    assert.equal(realm.dealer.registrations.size, 0);
    const [code] = await witness.ask([
      16,
      2,
      { acknowledge: true, exclude_me: false },
      "com.witness",
    ]);
    assert.ok(code === 17 || code === 36);
    witness.close();
  });
}, 30_000);

test("bytes that are no messages end one connection, and nothing else", async () => {
  await withRouter(async ({ ws, rs, router, notes }) => {
    const witness = await RawClient.join(ws);
    const random = numbers(2);
    const bytes = (length: number) => Uint8Array.from({ length }, () => random(256));
    for (let round = 0; round < 100; round++) {
      const serializer = serializers[round % 3]!;
      const client = await RawClient.connect(ws, serializer, round % 6 >= 3 && serializer.isBinary);
      if (round % 2 === 0) client.send([1, "realm1", { roles: {} }]);
      const frame = bytes(random(60));
      client.socket.send(random(2) === 0 ? frame : Buffer.from(frame).toString("latin1"));
      client.close();
    }
    const port = Number(new URL(rs.replace("rs:", "http:")).port);
    const starts = [
      [0x7f, 0xf1, 0, 0],
      [0x7f, 0xf2, 0, 0],
      [0x7f, 0xf3, 0, 0],
      [0x7f, 0xf9, 0, 0],
      [0x7f, 0x01, 0, 1],
      [0x47, 0x45, 0x54, 0x20],
      [0x7f],
    ];
    let ended = 0;
    for (let round = 0; round < 100; round++) {
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          data() {},
          close() {
            ended++;
          },
        },
      });
      socket.write(new Uint8Array(starts[round % starts.length]!));
      socket.write(bytes(random(80)));
      socket.end();
    }
    await until(() => ended === 100 && router.realmOf("realm1")!.sessions.size === 1, 10_000);
    assert.deepEqual(notes, []);
    assert.deepEqual(
      (await witness.ask([48, 1, {}, "wamp.session.count"])).slice(0, 4),
      [50, 1, {}, [1]],
    );
    witness.close();
  });
}, 30_000);

test("a message that is too long ends its connection", async () => {
  await withRouter(
    async ({ ws, router }) => {
      const client = await RawClient.join(ws);
      client.send([16, 1, {}, "com.a", ["x".repeat(20_000)]]);
      assert.equal(await client.closed, 1009);
      await until(() => router.realmOf("realm1")!.sessions.size === 0);
    },
    {},
    { maxMessageBytes: 16_384 },
  );
});

test("an event longer than what a rawsocket takes is counted, and not sent to it", async () => {
  await withRouter(async ({ ws, rs, router }) => {
    const port = Number(new URL(rs.replace("rs:", "http:")).port);
    let heard = "";
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(_socket, data) {
          heard += data.toString("latin1");
        },
      },
    });
    const frame = (message: unknown[]) => {
      const text = JSON.stringify(message);
      return Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
    };
    // It takes messages of 1024 bytes, in JSON; WELCOME has some 900.
    socket.write(new Uint8Array([0x7f, 0x11, 0, 0]));
    socket.write(frame([1, "realm1", { roles: { subscriber: {} } }]));
    socket.write(frame([32, 1, {}, "com.example.a"]));
    await until(() => heard.includes("[33,1,"));
    const publisher = await RawClient.join(ws);
    const publish = (request: number, text: string) =>
      publisher.ask([16, request, { acknowledge: true }, "com.example.a", [text]]);
    await publish(1, "short");
    await publish(2, "x".repeat(2000));
    await publish(3, "also short");
    await until(() => heard.includes("also short"));
    assert.ok(heard.includes("short") && !heard.includes("xxx"));
    const { eventsLocal, tooLong } = router.counters;
    assert.deepEqual([eventsLocal, tooLong], [2, 1]);
    publisher.close();
    socket.end();
  });
});

test("rawsocket answers a handshake that it cannot take with the error's number", async () => {
  await withRouter(async ({ rs }) => {
    const port = Number(new URL(rs.replace("rs:", "http:")).port);
    const answer = (hello: number[]) =>
      new Promise<string>((resolve, reject) => {
        let heard = "";
        void Bun.connect({
          hostname: "127.0.0.1",
          port,
          socket: {
            open(socket) {
              socket.write(new Uint8Array(hello));
            },
            data(_socket, data) {
              heard += data.toString("hex");
            },
            close: () => resolve(heard),
            connectError: (_socket, error) => reject(error),
          },
        });
      });
    assert.equal(await answer([0x7f, 0xf0, 0, 0]), "7f100000");
    assert.equal(await answer([0x7f, 0xf5, 0, 0]), "7f100000");
    assert.equal(await answer([0x7f, 0xf1, 0, 1]), "7f300000");
    assert.equal(await answer([0x47, 0x45, 0x54, 0x20]), "");
  });
});

test("arguments that cannot be read end the session of whom they came from", async () => {
  await withRouter(async ({ ws, router, notes }) => {
    const reader = await RawClient.join(ws);
    await reader.ask([32, 1, {}, "com.example.a"]);
    // An extension that nobody knows: well-formed, but nothing that JSON could say.
    const extension = Buffer.from("91d40505", "hex");
    const withExtension = (head: readonly unknown[]) => {
      const bytes = Buffer.from(msgpack.encode(head) as Uint8Array);
      bytes[0]!++;
      return Buffer.concat([bytes, extension]);
    };
    const publisher = await RawClient.join(ws, {}, msgpack);
    publisher.socket.send(withExtension([16, 1, {}, "com.example.a"]));
    assert.deepEqual((await publisher.next())[0], 3);
    const callee = await RawClient.join(ws, {}, msgpack);
    await callee.ask([64, 1, {}, "com.example.proc"]);
    reader.send([48, 2, {}, "com.example.proc"]);
    const [, request] = await callee.next();
    callee.socket.send(withExtension([70, request, {}]));
    assert.deepEqual((await reader.next()).slice(0, 5), [
      8,
      48,
      2,
      {},
      "wamp.error.invalid_payload",
    ]);
    assert.equal((await callee.next())[0], 3);
    // Between those who know it, it passes.
    const [one, other] = [
      await RawClient.join(ws, {}, msgpack),
      await RawClient.join(ws, {}, msgpack),
    ];
    await one.ask([32, 1, {}, "com.example.b"]);
    other.socket.send(withExtension([16, 1, { acknowledge: true }, "com.example.b"]));
    assert.equal((await other.next())[0], 17);
    const [code, frame] = await one.next();
    assert.equal(code, unreadable);
    assert.ok(Buffer.from(frame as Uint8Array).toString("hex").endsWith("91d40505"));
    // Deep, but not too deep for anybody.
    let deep: unknown = 1;
    for (let depth = 0; depth < 200; depth++) deep = [deep];
    reader.send([16, 3, { exclude_me: false }, "com.example.a", [deep]]);
    assert.deepEqual((await reader.next())[4], [deep]);
    const { sessions } = router.realmOf("realm1")!;
    await until(() => sessions.size === 3);
    assert.deepEqual(notes, []);
    for (const client of [reader, other, one]) client.close();
  });
});
