import { test } from "bun:test";
import assert from "node:assert/strict";
import { checkClientMessage, checkRouterMessage } from "../../../lib/wamp/message/check.ts";
import { isId, maxId, publicationId, randomId } from "../../../lib/wamp/message/id.ts";
import { ProtocolViolation } from "../../../lib/wamp/message/protocol_violation.ts";
import { isPattern, isUri } from "../../../lib/wamp/message/uri.ts";

test("checkClientMessage() takes what a client may send", () => {
  for (
    const message of [
      [1, "realm1", {}],
      [16, 1, {}, "a.b"],
      [16, 1, {}, "a.b", []],
      [16, 1, { enc_algo: "x_own", retain: null }, "a.b", new Uint8Array(3)],
      [48, maxId, {}, "a.b", [], {}],
      [8, 68, 1, {}, "a.b"],
    ]
  ) {
    assert.deepEqual([...checkClientMessage(message)], message);
  }
});

test("checkClientMessage() tells what is wrong", () => {
  for (
    const [message, expected] of [
      [[], /a message with code undefined/],
      [["1"], /a message with code "1"/],
      [[36, 1, 2, {}], /EVENT came, which is not a message of a client/],
      [[99], /code 99/],
      [[16, 1, {}], /PUBLISH came with 3 elements, too few/],
      [[16, 0, {}, "a"], /element 1 of PUBLISH is 0, expected an integer from 1 to 2\^53/],
      [[16, 1.5, {}, "a"], /is 1.5/],
      [[16, 1, [], "a"], /element 2 of PUBLISH is a list, expected a dictionary/],
      [[16, 1, {}, 7], /element 3 of PUBLISH is 7, expected a string/],
      [[16, 1, {}, "a", {}], /element 4 of PUBLISH is a dictionary, expected a list/],
      [[16, 1, {}, "a", [], []], /element 5/],
      [[16, 1, {}, "a", [], {}, 1], /with 7 elements, it has at most 6/],
    ] as const
  ) {
    assert.throws(
      () => checkClientMessage(message),
      (error) => error instanceof ProtocolViolation && expected.test(error.message),
      String(expected),
    );
  }
});

test("checkRouterMessage() knows UNSUBSCRIBED from the router's side", () => {
  checkRouterMessage([35, 0, { subscription: 7 }]);
  assert.throws(() => checkRouterMessage([16, 1, {}, "a"]), ProtocolViolation);
});

test("isUri() and isPattern() follow the specification", () => {
  assert.ok(isUri("com.my-app.ütopic"));
  for (const text of ["", ".", "a..b", "a.", "a b", "a#b"]) assert.ok(!isUri(text), text);
  assert.ok(!isUri("com.my-app", "strict"));
  assert.ok(isUri("com.my_app.1", "strict"));
  assert.ok(isPattern("a..b", "wildcard"));
  assert.ok(isPattern("", "prefix"));
  assert.ok(isPattern("com.my.", "prefix"));
  assert.ok(!isPattern("a..b", "exact"));
  assert.ok(!isPattern("a. b", "wildcard"));
});

test("ids are integers from 1 to 2^53, and differ", () => {
  const ids = new Set<number>();
  for (let count = 0; count < 1000; count++) ids.add(randomId()).add(publicationId());
  assert.equal(ids.size, 2000);
  assert.ok([...ids].every(isId));
  assert.ok(!isId(0) && !isId(maxId + 2) && !isId("1") && !isId(1n));
});
