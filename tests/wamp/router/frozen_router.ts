import assert from "node:assert/strict";
import { until } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";
import { type RouterProcess, statsOf, withTwoRouters } from "./router_processes.ts";

const topic = "com.example.a";
const published = 17;
const event = 36;

/** Publishes, and waits until the router has acknowledged it. */
async function publish(client: RawClient, number: number): Promise<void> {
  send(client, number);
  await until(() => hasAcknowledged(client, number), 20_000);
}

function send(client: RawClient, number: number): void {
  client.send([16, number, { acknowledge: true, exclude_me: false }, topic, [number]]);
}

const hasAcknowledged = ({ received }: RawClient, number: number) =>
  received.some(([code, request]) => code === published && request === number);

const numbersOf = ({ received }: RawClient) =>
  received.filter(([code]) => code === event).map((message) => (message[4] as number[])[0]);

async function subscriberAt({ ws }: RouterProcess): Promise<RawClient> {
  const client = await RawClient.join(ws);
  await client.ask([32, 1, {}, topic]);
  return client;
}

/**
 * Has a router stand still while a client of it goes to another one, and another client stays.
 *
 * @param frozenMs after what the client that has gone publishes elsewhere.
 */
export async function freezeAndThaw(frozenMs: number): Promise<void> {
  await withTwoRouters(async (one, other) => {
    const subscribers = [await subscriberAt(one), await subscriberAt(other)] as const;
    const [stays, elsewhere] = subscribers;
    const moves = await RawClient.join(one.ws);
    await publish(moves, 10);
    await publish(moves, 11);

    one.process.kill("SIGSTOP");
    // Not read: one of a client that goes elsewhere then, and one of a client that stays.
    send(moves, 12);
    send(stays, 20);
    await Bun.sleep(50);
    (moves.socket as WebSocket & { terminate(): void }).terminate();
    const moved = await RawClient.join(other.ws);
    await publish(moved, 13);
    await publish(moved, 14);
    await Bun.sleep(frozenMs);
    assert.deepEqual(numbersOf(elsewhere), [10, 11, 13, 14]);
    one.process.kill("SIGCONT");

    await until(() => hasAcknowledged(stays, 20), 20_000);
    await until(() => numbersOf(elsewhere).includes(20), 20_000);
    await until(() => numbersOf(stays).includes(14), 20_000);
    await publish(moved, 15);
    await until(() => subscribers.every((client) => numbersOf(client).includes(15)), 20_000);

    assert.deepEqual(numbersOf(elsewhere), [10, 11, 13, 14, 20, 15]);
    // Those of the other node come over the link; of each publisher they come in order.
    const numbers = numbersOf(stays);
    assert.deepEqual(numbers.filter((number) => number !== 20), [10, 11, 13, 14, 15]);
    assert.equal(numbers.filter((number) => number === 20).length, 1);
    assert.ok((await statsOf(one))["standstills"] as number >= 1);
  });
}
