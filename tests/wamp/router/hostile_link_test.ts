import { test } from "bun:test";
import assert from "node:assert/strict";
import { routerRole } from "../../../lib/wamp/router/authentication.ts";
import { SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { Router } from "../../../lib/wamp/router/router.ts";
import { cbor } from "../../../lib/wamp/serialization/cbor.ts";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { parseListenUrl } from "../../../lib/wamp/transport/listen_url.ts";
import { openRealm, until } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const key = new SigningKey(new Uint8Array(32).fill(7));
const principals = [{ authid: "router", publicKey: key.publicKey, roles: [routerRole] }];

interface Node {
  readonly router: Router;
  readonly ws: string;
  readonly rs: string;
}

function startNode(node: string): Node {
  const router = new Router({
    node,
    realms: [{ ...openRealm, principals }],
    pingIntervalMs: 0,
    maxMessageBytes: 2 ** 20,
    maxPendingBytes: 2 ** 24,
    note() {},
  });
  const ws = router.listen(parseListenUrl("ws://127.0.0.1:0/ws")).url;
  return { router, ws, rs: router.listen(parseListenUrl("rs://127.0.0.1:0")).url };
}

/** Runs `use` with two routers that are linked; the links have to outlive it, without a failure. */
async function withLinked(
  use: (one: Node, other: Node) => Promise<void>,
  over: "ws" | "rs" = "rs",
): Promise<void> {
  const [one, other] = [startNode("node1"), startNode("node2")];
  try {
    one.router.linkTo([parseListenUrl(other[over])], key);
    other.router.linkTo([parseListenUrl(one[over])], key);
    const links = [...one.router.links, ...other.router.links];
    await until(() => links.every(({ isUp }) => isUp));
    await use(one, other);
    for (const { state, joined, reason } of links) {
      assert.deepEqual([state, joined, reason], ["up", 1, ""]);
    }
    for (const { router } of [one, other]) assert.equal(router.counters.failures, 0);
  } finally {
    await Promise.all([one.router.stop(), other.router.stop()]);
  }
}

/** A message whose only argument is a time that is none: whole in CBOR, and nothing that JSON can say. */
function withoutTime(head: readonly unknown[]): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(cbor.encode(head) as Uint8Array);
  bytes[0]!++;
  return new Uint8Array([...bytes, 0x81, 0xc0, 0x61, 0x78]);
}

test("a link outlives arguments that nobody behind it can read", async () => {
  await withLinked(async (one, other) => {
    const reader = await RawClient.join(other.ws);
    await reader.ask([32, 1, {}, "com.example.topic"]);
    await reader.ask([64, 2, {}, "com.example.reader"]);
    const client = await RawClient.join(one.ws, {}, cbor);
    await client.ask([64, 1, {}, "com.example.client"]);

    client.socket.send(withoutTime([16, 2, {}, "com.example.topic"]));
    await until(() => other.router.counters.unreadable === 1);

    client.socket.send(withoutTime([48, 3, {}, "com.example.reader"]));
    assert.deepEqual((await client.next()).slice(0, 5), [
      8,
      48,
      3,
      {},
      "wamp.error.invalid_payload",
    ]);

    reader.send([48, 3, {}, "com.example.client"]);
    const [, request] = await client.next();
    client.socket.send(withoutTime([70, request, {}]));
    assert.deepEqual((await reader.next()).slice(0, 5), [
      8,
      48,
      3,
      {},
      "wamp.error.invalid_payload",
    ]);
    assert.equal(other.router.counters.unreadable, 2);

    client.send([16, 4, {}, "com.example.topic", ["well"]]);
    assert.deepEqual((await reader.next())[4], ["well"]);
    client.close();
    reader.close();
  });
});

test("options and details reach others only where every serializer can say them", async () => {
  await withLinked(async (one, other) => {
    const reader = await RawClient.join(other.ws);
    await reader.ask([32, 1, {}, "com.example.topic"]);
    const client = await RawClient.join(one.ws, {}, cbor);
    await client.ask([64, 1, {}, "com.example.client"]);
    const large = 2n ** 60n;

    const scheme = {
      ...{ ppt_scheme: large, ppt_serializer: { a: [large] } },
      ...{
        ppt_cipher: "xsalsa20poly1305",
        ppt_keyid: "GTtQ37XGJO2O4R8Dvx4AUo8pe61D9evIWpKGQAPdOh0=",
      },
    };
    client.send([16, 2, scheme, "com.example.topic", [1]]);
    const [, , , details] = await reader.next();
    const { forward_for, ...others } = details as Record<string, unknown>;
    assert.ok(Array.isArray(forward_for));
    assert.deepEqual(others, { ppt_cipher: scheme.ppt_cipher, ppt_keyid: scheme.ppt_keyid });

    reader.send([48, 2, {}, "com.example.client"]);
    const [, request] = await client.next();
    client.send([8, 68, request, { why: "so", large, deep: { large } }, "com.example.error"]);
    assert.deepEqual(await reader.next(), [8, 48, 2, { why: "so" }, "com.example.error"]);

    // What cannot be is answered, and not taken for a failure of the router.
    const answers: readonly (readonly [readonly unknown[], unknown])[] = [
      [[64, 3, { match: large }, "com.example.a"], "wamp.error.option_not_allowed"],
      [[64, 4, { invoke: large }, "com.example.b"], "wamp.error.option_not_allowed"],
      [[48, 5, {}, "wamp.session.get", [large]], "wamp.error.no_such_session"],
    ];
    for (const [message, uri] of answers) assert.equal((await client.ask(message))[4], uri);
    assert.deepEqual((await client.ask([48, 6, { timeout: large }, "com.example.client"]))[0], 3);
    reader.close();
  });
});

test("a call that crosses the end of its registration on a link is answered", async () => {
  await withLinked(async (one, other) => {
    const caller = await RawClient.join(one.ws);
    for (let round = 1; round <= 20; round++) {
      const callee = await RawClient.join(other.ws);
      await callee.ask([64, 1, {}, "com.example.proc"]);
      // The caller's router still knows the registration; the callee's one does not any more.
      callee.close();
      const calls = Array.from({ length: 20 }, (_, index) => round * 100 + index);
      for (const call of calls) {
        caller.send([48, call, {}, "com.example.proc"]);
        if (call % 5 === 0) await Bun.sleep(0);
      }
      for (const _ of calls) {
        const [code, , , , uri] = await caller.next();
        assert.equal(code, 8);
        assert.match(String(uri), /^wamp\.error\.(no_such_procedure|canceled)$/);
      }
      await until(() => one.router.realmOf("realm1")!.dealer.registrations.size === 0);
    }
    caller.close();
  });
}, 15_000);

for (const over of ["rs", "ws"] as const) {
  test(`a link over ${over} outlives answers that are too long for it`, async () => {
    await withLinked(async (one, other) => {
      const caller = await RawClient.join(other.ws, {}, msgpack);
      const callee = await RawClient.join(one.ws, {}, msgpack);
      await callee.ask([64, 1, {}, "com.example.proc"]);
      // A byte each in MessagePack, and two in CBOR, which links speak.
      const long = new Array<number>(600_000).fill(100);
      for (const answer of [[70], [8, 68]]) {
        caller.send([48, answer.length, {}, "com.example.proc"]);
        const [, request] = await callee.next();
        callee.send([...answer, request, {}, ...(answer.length === 2 ? ["com.error"] : []), long]);
        const [code, , , , uri] = await caller.next();
        assert.deepEqual([code, uri], [8, "wamp.error.payload_size_exceeded"]);
      }
      assert.equal(one.router.counters.tooLong, 2);
      caller.close();
      callee.close();
    }, over);
  });
}
