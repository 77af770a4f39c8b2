import { test } from "bun:test";
import assert from "node:assert/strict";
import { routerRole } from "../../../lib/wamp/router/authentication.ts";
import { SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { Payload } from "../../../lib/wamp/serialization/payload.ts";
import { parseListenUrl } from "../../../lib/wamp/transport/listen_url.ts";
import { until, withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const key = new SigningKey(new Uint8Array(32).fill(9));
const principals = [{ authid: "router", publicKey: key.publicKey, roles: [routerRole] }];

test(
  "LinkOutbox carries nothing of before a standstill for a publisher that has gone",
  async () => {
    const settings = { pingIntervalMs: 10_000 };
    await withRouter(
      async (one) => {
        await withRouter(
          async (other) => {
            other.router.linkTo([parseListenUrl(one.rs)], key);
            await until(() => other.router.links.every(({ isUp }) => isUp));
            const subscriber = await RawClient.join(other.ws);
            await subscriber.ask([32, 1, {}, "com.example.a"]);
            const [goes, stays] = [await RawClient.join(one.ws), await RawClient.join(one.ws)];
            const { broker, sessions } = one.router.realmOf("realm1")!;
            const publish = ({ session }: RawClient, request: number) =>
              broker.publish(
                sessions.get(session)!,
                request,
                { acknowledge: true },
                "com.example.a",
                Payload.of([[request]]),
              );
            publish(goes, 1);
            publish(stays, 2);
            publish(goes, 3);
            publish(stays, 4);
            (goes.socket as WebSocket & { terminate(): void }).terminate();
            // In the middle of a turn of the event loop.
            Bun.sleepSync(700);
            await until(() => stays.received.length === 2);
            await until(() => subscriber.received.length >= 2);
            publish(stays, 5);
            await until(() =>
              subscriber.received.some((message) => (message[4] as [number])[0] === 5)
            );
            const numbers = subscriber.received.map((message) => (message[4] as [number])[0]);
            assert.deepEqual(numbers, [2, 4, 5]);
            assert.deepEqual(goes.received, []);
            subscriber.close();
            stays.close();
          },
          { principals },
          { ...settings, node: "node2" },
        );
      },
      { principals },
      settings,
    );
  },
  30_000,
);

test(
  "LinkOutbox carries nothing to further links after a standstill between two of them",
  async () => {
    const settings = { pingIntervalMs: 10_000 };
    await withRouter(
      async (one) => {
        await withRouter(
          async (second) => {
            await withRouter(
              async (third) => {
                const others = [second, third];
                for (const { router } of others) router.linkTo([parseListenUrl(one.rs)], key);
                await until(() => others.every(({ router }) => router.links[0]!.isUp));
                const subscribers = [
                  await RawClient.join(second.ws),
                  await RawClient.join(third.ws),
                ];
                for (const client of subscribers) await client.ask([32, 1, {}, "com.example.a"]);
                const [goes, stays] = [await RawClient.join(one.ws), await RawClient.join(one.ws)];
                const { broker, sessions } = one.router.realmOf("realm1")!;
                const publish = ({ session }: RawClient, request: number) =>
                  broker.publish(
                    sessions.get(session)!,
                    request,
                    { acknowledge: true },
                    "com.example.a",
                    Payload.of([[request]]),
                  );
                const link = [...sessions.values()].find(({ node }) => node === "node2")!;
                const flush = link.connection.flush.bind(link.connection);
                // To write to the first link is where the process stands still.
                link.connection.flush = () => {
                  link.connection.flush = flush;
                  flush();
                  (goes.socket as WebSocket & { terminate(): void }).terminate();
                  Bun.sleepSync(700);
                };
                publish(goes, 1);
                publish(stays, 2);
                await until(() => stays.received.length === 1);
                publish(stays, 3);
                const numbersOf = ({ received }: RawClient) =>
                  received.map((message) => (message[4] as [number])[0]);
                await until(() => subscribers.every((client) => numbersOf(client).includes(3)));
                assert.deepEqual(subscribers.map(numbersOf), [[1, 2, 3], [2, 3]]);
                for (const client of [...subscribers, stays]) client.close();
              },
              { principals },
              { ...settings, node: "node3" },
            );
          },
          { principals },
          { ...settings, node: "node2" },
        );
      },
      { principals },
      settings,
    );
  },
  30_000,
);
