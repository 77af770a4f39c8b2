import { test } from "bun:test";
import assert from "node:assert/strict";
import { makeCertificate } from "../../../lib/transport/certificates.ts";
import { SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { Role } from "../../../lib/wamp/router/role.ts";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { withRouter as withAnyRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const certificate = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });

/** The same with `ws` over TCP, and over TLS. */
function testOverEach(name: string, run: (use: typeof withAnyRouter) => Promise<void>): void {
  for (const scheme of ["ws", "wss"] as const) {
    test(`${name} (${scheme})`, () =>
      run((use, realm, settings) =>
        withAnyRouter((local) => use({ ...local, ws: local[scheme] }), realm, {
          ...settings,
          certificate,
        })
      ));
  }
}

testOverEach(
  "HELLO leads to WELCOME with roles, identity and the router's name",
  async (withRouter) => {
    await withRouter(async ({ ws }) => {
      const client = await RawClient.connect(ws);
      const [code, session, details] = await client.ask([1, "realm1", { roles: { caller: {} } }]);
      assert.equal(code, 2);
      const { authextra, roles, authid, authrole, authmethod } = details as Record<string, unknown>;
      assert.deepEqual([authid, authrole, authmethod], [
        `anonymous-${session}`,
        "anonymous",
        "anonymous",
      ]);
      const { x_cb_node_id, x_cb_pid } = authextra as Record<string, unknown>;
      assert.deepEqual([x_cb_node_id, x_cb_pid], ["node1", process.pid]);
      const { broker, dealer } = roles as Record<string, { features: Record<string, boolean> }>;
      assert.ok(broker!.features["pattern_based_subscription"]);
      assert.ok(dealer!.features["call_canceling"]);
      assert.deepEqual(await client.ask([6, {}, "wamp.close.normal"]), [
        6,
        {},
        "wamp.close.goodbye_and_out",
      ]);
      await client.closed;
    });
  },
);

testOverEach("ABORT says why there is no session", async (withRouter) => {
  await withRouter(async ({ ws, router }) => {
    const refused: readonly (readonly [readonly unknown[], string])[] = [
      [[1, "realm2", { roles: {} }], "wamp.error.no_such_realm"],
      [[1, "realm 1", { roles: {} }], "wamp.error.invalid_uri"],
      [[1, "realm1", {}], "wamp.error.protocol_violation"],
      [[1, "realm1", { roles: { caller: 1 } }], "wamp.error.protocol_violation"],
      [[1, "realm1", { roles: {}, authmethods: ["ticket"] }], "wamp.error.no_matching_auth_method"],
      [[1, "realm1", { roles: {}, authrole: "admin" }], "wamp.error.no_such_role"],
      [[16, 1, {}, "com.a"], "wamp.error.protocol_violation"],
      [[5, "x", {}], "wamp.error.protocol_violation"],
      [[99], "wamp.error.protocol_violation"],
      [[], "wamp.error.protocol_violation"],
    ];
    for (const [message, reason] of refused) {
      const client = await RawClient.connect(ws);
      const [code, , uri] = await client.ask(message);
      assert.deepEqual([code, uri], [3, reason], JSON.stringify(message));
      await client.closed;
    }
    const twice = await RawClient.join(ws);
    assert.equal(
      (await twice.ask([1, "realm1", { roles: {} }]))[2],
      "wamp.error.protocol_violation",
    );
    await twice.closed;
    assert.equal(router.counters.failures, 0);
  });
});

const key = new SigningKey(new Uint8Array(32).fill(1));
const principals = [{ authid: "joe", publicKey: key.publicKey, roles: ["user", "admin"] }];

testOverEach("cryptosign lets in whoever has the key, and nobody else", async (withRouter) => {
  const roles = [new Role("user", []), Role.unrestricted("admin")];
  await withRouter(async ({ ws }) => {
    const hello = async (signer: SigningKey, details: object) => {
      const client = await RawClient.connect(ws);
      const [code, methodOrDetails, extra] = await client.ask([1, "realm1", {
        roles: { caller: {} },
        authmethods: ["cryptosign"],
        authextra: { pubkey: key.publicKey },
        ...details,
      }]);
      if (code !== 4) return [code, extra];
      assert.equal(methodOrDetails, "cryptosign");
      const { challenge } = extra as { challenge: string };
      const answer = await client.ask([5, signer.answer(challenge), {}]);
      client.close();
      return answer[0] === 2 ? [2, answer[2]] : [answer[0], answer[2]];
    };
    const [code, details] = await hello(key, {});
    const { authid, authrole, authmethod } = details as Record<string, unknown>;
    assert.deepEqual([code, authid, authrole, authmethod], [2, "joe", "user", "cryptosign"]);
    const [, asAdmin] = await hello(key, { authid: "joe", authrole: "admin" });
    assert.equal((asAdmin as { authrole: string }).authrole, "admin");
    const stranger = new SigningKey(new Uint8Array(32).fill(2));
    assert.deepEqual(await hello(stranger, {}), [3, "wamp.error.authentication_failed"]);
    for (
      const [details, reason] of [
        [{ authrole: "router2router" }, "wamp.error.no_such_role"],
        [{ authid: "jim" }, "wamp.error.authentication_failed"],
        [{ authextra: { pubkey: stranger.publicKey } }, "wamp.error.authentication_failed"],
        [{ authextra: {} }, "wamp.error.authentication_failed"],
        [{ authmethods: ["anonymous"] }, "wamp.error.no_matching_auth_method"],
      ] as const
    ) {
      assert.deepEqual(await hello(key, details), [3, reason]);
    }
  }, { anonymousRole: undefined, principals, roles });
});

testOverEach("nobody gets the name of somebody with a key without that key", async (withRouter) => {
  await withRouter(async ({ ws }) => {
    const hello = async (details: object) => {
      const client = await RawClient.connect(ws);
      const [code, , third] = await client.ask([1, "realm1", { roles: {}, ...details }]);
      client.close();
      return code === 2 ? (third as { authid: string }).authid : third;
    };
    assert.equal(await hello({ authid: "joe" }), "wamp.error.authentication_required");
    assert.equal(await hello({ authid: "jim" }), "jim");
    assert.equal(await hello({ authid: "j".repeat(256) }), "wamp.error.authentication_failed");
  }, { principals });
});

testOverEach("permissions say what a role may do", async (withRouter) => {
  const allow = { call: true, register: true, publish: true, subscribe: true };
  const role = new Role("anonymous", [
    { uri: "com.example.", match: "prefix", allow },
    { uri: "com.example.read", match: "exact", allow: { subscribe: true, call: true } },
    { uri: "org.open", match: "exact", allow, disclose: { caller: true, publisher: true } },
  ]);
  await withRouter(async ({ ws }) => {
    const client = await RawClient.join(ws);
    const denied = "wamp.error.not_authorized";
    const codeOrUri = ([code, , , , uri]: unknown[]) => code === 8 ? uri : code;
    assert.equal(codeOrUri(await client.ask([32, 1, {}, "com.example.a"])), 33);
    assert.equal(codeOrUri(await client.ask([32, 2, {}, "com.other"])), denied);
    assert.equal(codeOrUri(await client.ask([32, 3, { match: "prefix" }, "com"])), denied);
    assert.equal(codeOrUri(await client.ask([32, 4, { match: "prefix" }, "com.example.b"])), 33);
    assert.equal(codeOrUri(await client.ask([32, 5, { match: "prefix" }, "org.open"])), denied);
    assert.equal(codeOrUri(await client.ask([64, 6, {}, "com.example.read"])), denied);
    assert.equal(codeOrUri(await client.ask([48, 7, {}, "com.other"])), denied);
    const publish = [16, 8, { acknowledge: true }, "com.example.read"];
    assert.equal(codeOrUri(await client.ask(publish)), denied);
    // Without acknowledgement nothing is said.
    client.send([16, 9, {}, "com.example.read"]);
    const other = await RawClient.join(ws);
    await client.ask([32, 10, {}, "org.open"]);
    other.send([16, 1, {}, "org.open"]);
    const [, , , details] = await client.next();
    assert.equal((details as { publisher?: number }).publisher, other.session);
    client.close();
    other.close();
  }, { roles: [role] });
});

testOverEach(
  "the meta API tells of sessions, subscriptions and registrations",
  async (withRouter) => {
    await withRouter(async ({ ws }) => {
      const [one, other] = [
        await RawClient.join(ws),
        await RawClient.join(ws, { authid: "joe" }, msgpack),
      ];
      let request = 0;
      const call = async (procedure: string, args: unknown[] = [], kwargs = {}) => {
        const [code, , , uri, list] = await one.ask([48, ++request, {}, procedure, args, kwargs]);
        if (code !== 50) throw new Error(String(list === undefined ? uri : uri));
        return (uri as unknown[])[0];
      };
      const failing = async (procedure: string, args: unknown[]) =>
        (await one.ask([48, ++request, {}, procedure, args]))[4];
      assert.equal(await call("wamp.session.count"), 2);
      assert.equal(await call("wamp.session.count", [["nobody"]]), 0);
      assert.deepEqual(
        new Set(await call("wamp.session.list") as number[]),
        new Set([one.session, other.session]),
      );
      const details = await call("wamp.session.get", [other.session]) as Record<string, unknown>;
      assert.deepEqual([details["session"], details["authid"]], [other.session, "joe"]);
      assert.equal(await failing("wamp.session.get", [7]), "wamp.error.no_such_session");

      for (
        const topic of [
          "wamp.session.on_join",
          "wamp.session.on_leave",
          "wamp.registration.on_register",
          "wamp.subscription.on_create",
        ]
      ) {
        assert.equal((await one.ask([32, ++request, {}, topic]))[0], 33);
      }
      // The last one tells of itself.
      assert.equal((await one.next())[0], 36);
      const event = async () => (await one.next())[4] as unknown[];
      const [, , subscription] = await other.ask([32, 1, { match: "prefix" }, "com.example"]);
      const [by, created] = await event() as [number, Record<string, unknown>];
      assert.equal(by, other.session);
      assert.deepEqual([created["id"], created["uri"], created["match"]], [
        subscription,
        "com.example",
        "prefix",
      ]);
      const [, , registration] = await other.ask([64, 2, { invoke: "last" }, "com.proc"]);
      assert.deepEqual(await event(), [other.session, registration]);

      assert.equal(
        await call("wamp.subscription.lookup", ["com.example", { match: "prefix" }]),
        subscription,
      );
      assert.equal(await call("wamp.subscription.lookup", ["com.example"]), null);
      assert.deepEqual(await call("wamp.subscription.match", ["com.example.x"]), [subscription]);
      assert.deepEqual(await call("wamp.subscription.list_subscribers", [subscription]), [
        other.session,
      ]);
      assert.equal(await call("wamp.subscription.count_subscribers", [subscription]), 1);
      assert.equal(await call("wamp.registration.match", ["com.proc"]), registration);
      assert.equal(await call("wamp.registration.match", ["com.none"]), null);
      assert.deepEqual(await call("wamp.registration.list"), {
        exact: [registration],
        prefix: [],
        wildcard: [],
      });
      const found = await call("wamp.registration.get", [registration]) as Record<string, unknown>;
      assert.deepEqual([found["uri"], found["invoke"]], ["com.proc", "last"]);
      assert.deepEqual(await call("wamp.registration.list_callees", [registration]), [
        other.session,
      ]);
      assert.equal(await failing("wamp.registration.get", [1]), "wamp.error.no_such_registration");

      assert.equal(await failing("wamp.session.kill", [one.session]), "wamp.error.no_such_session");
      one.send([48, ++request, {}, "wamp.session.kill_by_authid", ["joe"], { message: "go" }]);
      const [code, goodbye, reason] = await other.next();
      assert.deepEqual([code, goodbye, reason], [6, { message: "go" }, "wamp.close.killed"]);
      other.send([6, {}, "wamp.close.goodbye_and_out"]);
      await other.closed;
      const answers = [await one.next(), await one.next()];
      assert.deepEqual(answers.find(([code]) => code === 50)?.[3], [[other.session]]);
      assert.deepEqual(answers.find(([code]) => code === 36)?.[4], [
        other.session,
        "joe",
        "anonymous",
      ]);
      assert.equal(await call("wamp.session.count"), 1);
      one.close();
    });
  },
);
