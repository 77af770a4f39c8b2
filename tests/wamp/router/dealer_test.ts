import { test } from "bun:test";
import assert from "node:assert/strict";
import { cbor } from "../../../lib/wamp/serialization/cbor.ts";
import { until, withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const uriOf = (message: unknown[]) => message[0] === 8 ? message[4] : `message ${message[0]}`;

test("a call goes to the most exact registration", async () => {
  await withRouter(async ({ ws }) => {
    const [callee, caller] = [await RawClient.join(ws), await RawClient.join(ws)];
    // The examples of the specification, section "Pattern-based Registrations", but with x33 for c33,
    // of which c3 would be a prefix.
    const registered: readonly (readonly [string, string])[] = [
      ["exact", "a1.b2.c3.d4.e55"],
      ["prefix", "a1.b2.c3"],
      ["prefix", "a1.b2.c3.d4"],
      ["wildcard", "a1.b2..d4.e5"],
      ["wildcard", "a1.b2.x33..e5"],
      ["wildcard", "a1.b2..d4.e5..g7"],
      ["wildcard", "a1.b2..d4..f6.g7"],
    ];
    const ids: unknown[] = [];
    for (const [index, [match, uri]] of registered.entries()) {
      ids.push((await callee.ask([64, index + 1, { match }, uri]))[2]);
    }
    for (
      const [index, [uri, expected]] of ([
        ["a1.b2.c3.d4.e55", 0],
        ["a1.b2.c3.d98.e74", 1],
        ["a1.b2.c3.d4.e325", 2],
        ["a1.b2.c55.d4.e5", 3],
        ["a1.b2.x33.d4.e5", 4],
        ["a1.b2.c88.d4.e5.f6.g7", 5],
      ] as const).entries()
    ) {
      caller.send([48, index + 1, {}, uri, [uri]]);
      const [, request, registration, details] = await callee.next();
      assert.equal(registration, ids[expected], uri);
      assert.deepEqual(details, expected === 0 ? {} : { procedure: uri });
      callee.send([70, request, {}, [expected], { k: 1 }]);
      assert.deepEqual(await caller.next(), [50, index + 1, {}, [expected], { k: 1 }]);
    }
    assert.equal(uriOf(await caller.ask([48, 20, {}, "a2.b2"])), "wamp.error.no_such_procedure");
    assert.equal(uriOf(await caller.ask([48, 21, {}, "a..b"])), "wamp.error.invalid_uri");
    assert.equal(uriOf(await caller.ask([64, 22, {}, "wamp.x"])), "wamp.error.invalid_uri");
    assert.equal(
      uriOf(await caller.ask([64, 24, { match: "prefix" }, "wamp"])),
      "wamp.error.invalid_uri",
    );
    assert.equal(
      uriOf(await caller.ask([64, 23, {}, "a1.b2.c3.d4.e55"])),
      "wamp.error.procedure_already_exists",
    );
    assert.deepEqual(await callee.ask([66, 30, ids[0]]), [67, 30]);
    assert.equal(uriOf(await callee.ask([66, 31, ids[0]])), "wamp.error.no_such_registration");
    callee.close();
    caller.close();
  });
});

test("shared registrations choose their callee by policy", async () => {
  await withRouter(async ({ ws }) => {
    const callees = await Promise.all([0, 1, 2].map(() => RawClient.join(ws)));
    const caller = await RawClient.join(ws);
    let request = 0;
    const calls = async (procedure: string, count: number) => {
      const chosen: number[] = [];
      for (let call = 0; call < count; call++) {
        caller.send([48, ++request, {}, procedure]);
        await until(() => callees.some(({ received }) => received.length > 0));
        const index = callees.findIndex(({ received }) => received.length > 0);
        const [, invocation] = await callees[index]!.next();
        callees[index]!.send([70, invocation, {}]);
        await caller.next();
        chosen.push(index);
      }
      return chosen;
    };
    for (const invoke of ["roundrobin", "random", "first", "last"]) {
      for (const callee of callees) {
        assert.equal((await callee.ask([64, ++request, { invoke }, `com.${invoke}`]))[0], 65);
      }
    }
    assert.deepEqual(await calls("com.roundrobin", 7), [0, 1, 2, 0, 1, 2, 0]);
    assert.deepEqual(await calls("com.first", 3), [0, 0, 0]);
    assert.deepEqual(await calls("com.last", 3), [2, 2, 2]);
    assert.equal(new Set(await calls("com.random", 60)).size, 3);
    assert.equal(
      uriOf(await caller.ask([64, ++request, { invoke: "last" }, "com.first"])),
      "wamp.error.procedure_exists_with_different_invocation_policy",
    );
    assert.equal(
      uriOf(await caller.ask([64, ++request, {}, "com.first"])),
      "wamp.error.procedure_already_exists",
    );
    callees[0]!.close();
    await callees[0]!.closed;
    await until(() => callees[0]!.socket.readyState === WebSocket.CLOSED);
    callees.splice(0, 1);
    await Bun.sleep(20);
    assert.deepEqual(await calls("com.first", 2), [0, 0]);
    for (const client of [...callees, caller]) client.close();
  });
});

test("CANCEL ends a call as its mode says", async () => {
  await withRouter(async ({ ws }) => {
    const [callee, caller] = [await RawClient.join(ws), await RawClient.join(ws)];
    await callee.ask([64, 1, {}, "com.slow"]);
    const begin = async (request: number) => {
      caller.send([48, request, {}, "com.slow"]);
      return (await callee.next())[1] as number;
    };
    const killed = await begin(1);
    caller.send([49, 1, { mode: "kill" }]);
    assert.deepEqual(await callee.next(), [69, killed, { mode: "kill" }]);
    callee.send([8, 68, killed, {}, "wamp.error.canceled", ["mine"]]);
    assert.deepEqual(await caller.next(), [8, 48, 1, {}, "wamp.error.canceled", ["mine"]]);

    const notAwaited = await begin(2);
    caller.send([49, 2, { mode: "killnowait" }]);
    assert.equal(uriOf(await caller.next()), "wamp.error.canceled");
    assert.deepEqual(await callee.next(), [69, notAwaited, { mode: "killnowait" }]);
    callee.send([70, notAwaited, {}, ["too late"]]);

    const skipped = await begin(3);
    caller.send([49, 3, { mode: "skip" }]);
    assert.equal(uriOf(await caller.next()), "wamp.error.canceled");
    callee.send([70, skipped, {}, ["too late"]]);

    // It was over already; and the session still works.
    caller.send([49, 3, {}]);
    const last = await begin(4);
    callee.send([70, last, {}, ["well"]]);
    assert.deepEqual(await caller.next(), [50, 4, {}, ["well"]]);
    assert.equal(callee.received.length + caller.received.length, 0);
    callee.close();
    caller.close();
  });
});

test("a call that takes longer than its timeout fails", async () => {
  await withRouter(async ({ ws, router }) => {
    const [callee, caller] = [await RawClient.join(ws), await RawClient.join(ws)];
    await callee.ask([64, 1, {}, "com.slow"]);
    caller.send([48, 1, { timeout: 30 }, "com.slow"]);
    const [, request] = await callee.next();
    assert.deepEqual(await callee.next(), [69, request, { mode: "killnowait" }]);
    assert.equal(uriOf(await caller.next()), "wamp.error.timeout");
    const realm = router.realmOf("realm1")!;
    for (const { calls, invocations } of realm.sessions.values()) {
      assert.equal(calls.size + invocations.size, 0);
    }
    callee.close();
    caller.close();
  });
});

test("a callee that sees to time limits itself does, also with progressive results", async () => {
  await withRouter(async ({ ws }) => {
    const features = { call_timeout: true, call_canceling: true, progressive_call_results: true };
    const [callee, caller] = [
      await RawClient.join(ws, { roles: { callee: { features } } }),
      await RawClient.join(ws),
    ];
    await callee.ask([64, 1, { forward_timeout: true }, "com.slow"]);
    caller.send([48, 1, { timeout: 20, receive_progress: true }, "com.slow"]);
    const [, request, , details] = await callee.next();
    assert.deepEqual(details, { receive_progress: true, timeout: 20 });
    callee.send([70, request, { progress: true }, [1]]);
    assert.deepEqual(await caller.next(), [50, 1, { progress: true }, [1]]);
    await Bun.sleep(60);
    callee.send([70, request, {}, [2]]);
    assert.deepEqual(await caller.next(), [50, 1, {}, [2]]);
    callee.close();
    caller.close();
  });
});

test("invocations are numbered one after the other, and no other one is answered", async () => {
  await withRouter(async ({ ws }) => {
    const [callee, caller, reader] = [
      await RawClient.join(ws),
      await RawClient.join(ws),
      await RawClient.join(ws, {}, cbor),
    ];
    await callee.ask([64, 1, {}, "com.proc"]);
    const numbers: unknown[] = [];
    for (let request = 1; request <= 3; request++) {
      // A call that cannot be encoded for the callee takes no number.
      if (request === 2) {
        const call = Buffer.from(cbor.encode([48, 1, {}, "com.proc"]) as Uint8Array);
        call[0]!++;
        reader.socket.send(new Uint8Array([...call, 0x81, 0xc0, 0x61, 0x78]));
        assert.equal((await reader.next())[0], 3);
      }
      caller.send([48, request, {}, "com.proc"]);
      const [, invocation] = await callee.next();
      numbers.push(invocation);
      callee.send([70, invocation, {}], [70, invocation, {}]);
      assert.deepEqual(await caller.next(), [50, request, {}]);
    }
    assert.deepEqual(numbers, [1, 2, 3]);
    for (const answer of [[70, 4, {}], [8, 68, 4, {}, "com.error"]]) {
      const other = await RawClient.join(ws);
      const [code, , reason] = await other.ask(answer);
      assert.deepEqual([code, reason], [3, "wamp.error.protocol_violation"]);
    }
    callee.close();
    caller.close();
  });
});

test("whoever leaves during a call does not leave the other waiting", async () => {
  await withRouter(async ({ ws }) => {
    const [callee, caller, other] = [
      await RawClient.join(ws),
      await RawClient.join(ws),
      await RawClient.join(ws),
    ];
    await callee.ask([64, 1, {}, "com.slow"]);
    caller.send([48, 1, { disclose_me: true }, "com.slow"]);
    const [, request, , details] = await callee.next();
    assert.equal((details as { caller?: number }).caller, caller.session);
    caller.close();
    assert.deepEqual(await callee.next(), [69, request, { mode: "killnowait" }]);
    other.send([48, 1, {}, "com.slow"]);
    await callee.next();
    callee.close();
    assert.equal(uriOf(await other.next()), "wamp.error.canceled");
    other.close();
  });
});
