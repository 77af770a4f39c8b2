import { test } from "bun:test";
import assert from "node:assert/strict";
import { matchPolicies } from "../../../lib/wamp/message/uri.ts";
import { type Permission, Role } from "../../../lib/wamp/router/role.ts";

/** A generator that gives the same numbers in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Of one to three components, of which each is `a`, `ab` or `b`. */
const uris = ["a", "ab", "b"].flatMap((first) => [
  first,
  ...["a", "ab", "b"].flatMap((second) => [
    `${first}.${second}`,
    ...["a", "ab", "b"].map((third) => `${first}.${second}.${third}`),
  ]),
]);

function isMatch({ uri, match }: Pick<Permission, "uri" | "match">, topic: string): boolean {
  if (match === "exact") return topic === uri;
  if (match === "prefix") return topic.startsWith(uri);
  const [parts, pattern] = [topic.split("."), uri.split(".")];
  return parts.length === pattern.length &&
    pattern.every((part, index) => part === "" || part === parts[index]);
}

test("may() lets a pattern pass only where every URI that it matches would pass", () => {
  const random = numbers(3);
  const pattern = () => {
    const match = matchPolicies[random(3)]!;
    const uri = uris[random(uris.length)]!;
    if (match === "exact") return { uri, match };
    if (match === "prefix") return { uri: uri.slice(0, random(uri.length + 1)), match };
    return { uri: uri.split(".").map((part) => random(2) === 0 ? "" : part).join("."), match };
  };
  let allowed = 0;
  for (let round = 0; round < 3000; round++) {
    // None is there twice; which of two would hold is nobody's business.
    const permissions = new Map<string, Permission>();
    for (let count = 1 + random(4); count > 0; count--) {
      const { uri, match } = pattern();
      permissions.set(`${match} ${uri}`, { uri, match, allow: { subscribe: random(4) > 0 } });
    }
    const role = new Role("user", [...permissions.values()]);
    const asked = pattern();
    if (!role.may("subscribe", asked.uri, asked.match)) continue;
    allowed++;
    for (const uri of uris) {
      const denied = isMatch(asked, uri) && !role.may("subscribe", uri);
      assert.ok(
        !denied,
        `${JSON.stringify([...permissions.values()])} ${asked.match} ${asked.uri}`,
      );
    }
  }
  assert.ok(allowed > 500, `only ${allowed} patterns passed`);
});

test("may() denies a pattern that a more exact permission denies in part", () => {
  const allow = { subscribe: true, register: true };
  const role = new Role("user", [
    { uri: "com.", match: "prefix", allow },
    { uri: "com.secret", match: "exact", allow: {} },
    { uri: "com.private.", match: "prefix", allow: { subscribe: true } },
  ]);
  const answers:
    readonly (readonly ["subscribe" | "register", string, "prefix" | "wildcard", boolean])[] = [
      ["subscribe", "com.", "prefix", false],
      ["subscribe", "com.s", "prefix", false],
      ["subscribe", "com.public", "prefix", true],
      ["subscribe", "com.", "wildcard", false],
      ["subscribe", "com..a", "wildcard", true],
      ["register", "com..a", "wildcard", false],
      ["subscribe", "com.private.a", "prefix", true],
      ["register", "com.private.a", "prefix", false],
      ["register", "com.public.", "prefix", true],
      ["subscribe", "org.", "prefix", false],
    ];
  for (const [action, uri, match, expected] of answers) {
    assert.equal(role.may(action, uri, match), expected, `${action} ${match} ${uri}`);
  }
});
