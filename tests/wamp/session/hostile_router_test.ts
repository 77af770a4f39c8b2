import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Failure } from "../../../lib/stats/failure.ts";
import { codes } from "../../../lib/wamp/message/codes.ts";
import type { SerializerName } from "../../../lib/wamp/serialization/serializer.ts";
import { serializerOf } from "../../../lib/wamp/serialization/serializers.ts";
import { subprotocolOf } from "../../../lib/wamp/serialization/subprotocol.ts";
import { ClientSessions } from "../../../lib/wamp/session/client_sessions.ts";
import { openAccess } from "../../../lib/wamp/session/router_access.ts";
import { parseClientUrl } from "../../../lib/wamp/transport/client_url.ts";
import { seededRandom } from "../../stats/seeded_random.ts";
import { until } from "../router/local_router.ts";
import { type Attack, hostileRouter } from "./hostile_router.ts";

const sessions = 16;

/** Sessions that a router of ours would have; one after the other is attacked. */
async function attacked(
  name: SerializerName,
  isBatched: boolean,
  prepare: readonly (string | Uint8Array)[],
  attack: Attack,
): Promise<(Failure | undefined)[]> {
  const ends: (Failure | undefined)[] = [];
  const router = hostileRouter(prepare, attack);
  const client = await ClientSessions.open({
    ...openAccess,
    urls: [parseClientUrl(router.url)],
    capacity: sessions,
    realm: "realm1",
    subprotocol: subprotocolOf(name, isBatched),
    // Where the router says nothing, it is awaited.
    joinTimeoutMs: prepare.length > 0 ? 8000 : 400,
  }, {
    joined: (id) => void client.send(id, [codes.subscribe, 1, {}, "com.example.t"]),
    raw: () => false,
    message() {},
    closed: (_, failure) => void ends.push(failure),
  });
  try {
    for (let id = 0; id < sessions; id++) client.connect(id);
    await until(() => ends.length >= sessions, 10_000);
    return ends;
  } finally {
    await client.shutdown();
    await router.stop();
  }
}

const welcome = [codes.welcome, 7, { roles: {} }];

for (const name of ["json", "msgpack", "cbor"] as const) {
  const encode = (message: readonly unknown[]) => serializerOf(name).encode(message);

  test(`ClientSessions end one session for each broken message in ${name}`, async () => {
    const random = seededRandom(17);
    const whole = encode(welcome);
    const ends = await attacked(name, false, [], (send, turn) => {
      if (turn % 2 === 0) {
        const noise = Uint8Array.from({ length: 1 + turn * 7 }, () => Math.floor(random() * 256));
        send(name === "json" ? Buffer.from(noise).toString("latin1") : noise);
      } else {
        send(whole.slice(0, Math.max(1, Math.floor(whole.length * random()))) as string);
      }
    });
    for (const end of ends) {
      assert.ok(end !== undefined);
      assert.ok(["protocol", "timeout"].includes(end.kind), `${end.kind}: ${end.detail}`);
    }
  });

  test(`ClientSessions end a session whose router breaks the protocol in ${name}`, async () => {
    const broken: readonly (readonly unknown[])[] = [
      [codes.published, 1],
      [codes.event, 1, 2],
      [codes.event, "x", 2, {}, []],
      [codes.result],
      [99, 1],
      [],
      [codes.hello, "realm1", {}],
      welcome,
      [codes.challenge, "ticket", {}],
      [codes.abort, { message: "enough" }, "wamp.error.not_authorized"],
      [codes.goodbye, {}, "wamp.close.system_shutdown"],
      [codes.error, codes.subscribe, 1, {}, 5],
      ["36", 1, 2, {}],
      [codes.invocation, 1, 2, [], []],
      [codes.welcome, 0, {}],
      [codes.goodbye, {}, "wamp.close.killed"],
    ];
    let next = 0;
    const ends = await attacked(
      name,
      false,
      [encode(welcome)],
      (send) => send(encode(broken[next++ % broken.length]!)),
    );
    for (const end of ends) {
      assert.ok(end !== undefined);
      assert.ok(["protocol", "closed-by-peer"].includes(end.kind), `${end.kind}: ${end.detail}`);
    }
  });
}

test("ClientSessions end a session with a broken batch, and with text where bytes were agreed on", async () => {
  const attacks: Attack[] = [
    (send) => send(Uint8Array.of(0, 0, 0, 9, 1)),
    (send) => send(Uint8Array.of(0, 0)),
    (send) => send(new Uint8Array(0)),
    (send) => send("text"),
    (send) => send(Uint8Array.of(255, 255, 255, 255, 0)),
  ];
  const ends = await attacked(
    "cbor",
    true,
    [],
    (send, turn) => attacks[turn % attacks.length]!(send, turn),
  );
  assert.deepEqual(ends.map((end) => end?.kind), ends.map(() => "protocol"));
});

test("ClientSessions give up a router that answers nothing", async () => {
  const ends = await attacked("cbor", false, [], () => {});
  for (const end of ends) assert.match(end!.detail, /no WELCOME within 400 ms/);
});
