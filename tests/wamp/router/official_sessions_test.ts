import assert from "node:assert/strict";
import { codes } from "../../../lib/wamp/message/codes.ts";
import { testWithVectors, vectorFiles } from "../official_vectors.ts";
import { withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

interface Step {
  readonly step: number;
  readonly from: string;
  readonly to: string;
  readonly message: Readonly<Record<string, unknown>> & { readonly type: keyof typeof names };
}

interface Sequence {
  readonly sessions: readonly { readonly session_id: string; readonly roles: string[] }[];
  readonly sequence: readonly Step[];
}

/** The vectors' names of the elements of the messages that they have, behind the code. */
const names = {
  SUBSCRIBE: [codes.subscribe, "request_id", "options", "topic"],
  SUBSCRIBED: [codes.subscribed, "request_id", "subscription_id"],
  PUBLISH: [codes.publish, "request_id", "options", "topic", "args", "kwargs"],
  PUBLISHED: [codes.published, "request_id", "publication_id"],
  EVENT: [codes.event, "subscription_id", "publication_id", "details", "args", "kwargs"],
} as const;

/** Ids that the router draws: in the vectors they stand for whatever it draws. */
const drawn: ReadonlySet<string> = new Set(["subscription_id", "publication_id"]);

function elementsOf({ type, ...members }: Step["message"]): (readonly [string, unknown])[] {
  const [, ...fields] = names[type];
  const known = new Set<string>(fields);
  for (const name of Object.keys(members)) assert.ok(known.has(name), `${type} has ${name}`);
  return fields.filter((name) => name in members).map((name) => [name, members[name]]);
}

testWithVectors("the official vectors of several messages are what the router does", async () => {
  let steps = 0;
  await withRouter(async ({ ws }) => {
    for (const [path, text] of vectorFiles("**/multisession/**/*.json")) {
      const { sessions, sequence } = JSON.parse(text) as Sequence;
      const clients = new Map<string, RawClient>();
      for (const { session_id, roles } of sessions) {
        const details = { roles: Object.fromEntries(roles.map((role) => [role, {}])) };
        clients.set(session_id, await RawClient.join(ws, details));
      }
      const ids = new Map<string, unknown>();
      for (const { step, from, to, message } of sequence) {
        steps++;
        const elements = elementsOf(message);
        const [code] = names[message.type];
        if (to === "router") {
          clients.get(from)!.send([code, ...elements.map(([, value]) => value)]);
          continue;
        }
        const [came, ...values] = await clients.get(to)!.next();
        assert.deepEqual([came, values.length], [code, elements.length], `${path}, step ${step}`);
        for (const [index, [name, expected]] of elements.entries()) {
          const key = `${name} ${expected}`;
          if (drawn.has(name) && !ids.has(key)) ids.set(key, values[index]);
          const wanted = drawn.has(name) ? ids.get(key) : expected;
          assert.deepEqual(values[index], wanted, `${path}, step ${step}: ${name}`);
        }
      }
      // Nothing else comes: what was asked for behind it is the next.
      for (const client of clients.values()) {
        assert.equal((await client.ask([codes.subscribe, 1000, {}, "com.example.end"]))[1], 1000);
        client.close();
      }
    }
  });
  assert.ok(steps >= 4, `only ${steps} steps were found`);
});
