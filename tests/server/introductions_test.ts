import { test } from "bun:test";
import assert from "node:assert/strict";
import { readServerId, serverAnswer, serverQuestion } from "../../lib/codec/server_id.ts";
import { Introductions } from "../../lib/server/introductions.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { transports } from "../../lib/transport/registry.ts";
import { LocalServer, until } from "./running_server.ts";

test("first() answers the question, however it is cut, and leaves what follows", () => {
  const more = Buffer.from("and more");
  const question = Buffer.concat([serverQuestion, more]);
  for (let cut = 1; cut < question.length; cut++) {
    const introductions = new Introductions("me");
    const parts = [question.subarray(0, cut), question.subarray(cut)];
    const echoed: Uint8Array[] = [];
    let isFirst = true;
    for (const part of parts) {
      const echo: Uint8Array | undefined = isFirst ? introductions.first(9, part) : part;
      isFirst &&= echo === undefined;
      if (echo !== undefined) echoed.push(echo);
    }
    const all = Buffer.concat(echoed);
    assert.equal(readServerId(all), "me", String(cut));
    assert.deepEqual(all.subarray(48), more);
  }
});

test("first() and rest() give back what turns out to be no question", () => {
  const introductions = new Introductions("me");
  assert.equal(introductions.first(1, Buffer.from("hold")), undefined);
  assert.equal(introductions.first(2, Buffer.from("holdfast")), undefined);
  assert.deepEqual(
    Buffer.from(introductions.first(1, Buffer.from(" on"))!),
    Buffer.from("hold on"),
  );
  assert.deepEqual(Buffer.from(introductions.rest(2)!), Buffer.from("holdfast"));
  assert.equal(introductions.rest(2), undefined);
  assert.deepEqual(introductions.datagram(serverQuestion), serverAnswer("me"));
  const longer = Buffer.concat([serverQuestion, Buffer.from("x")]);
  assert.equal(introductions.datagram(longer), longer);
});

test("holdfast server --announce answers the question, and echoes everything else", async () => {
  for (const announcedId of ["box-1", undefined]) {
    await using server = await LocalServer.start(["tcp://127.0.0.1:0", "udp://127.0.0.1:0"], {
      ...(announcedId === undefined ? {} : { announcedId }),
    });
    for (const { scheme, port } of server.endpoints) {
      const ask = async (pieces: readonly Uint8Array[], endsAfter = false) => {
        let [came, isOpen, hasEnded] = ["", false, false];
        const endpoint = parseEndpoint(`${scheme}://127.0.0.1:${port}`);
        const dialer = await transports[scheme].dial(endpoint, {
          open: () => isOpen = true,
          data: (_, bytes) => came += Buffer.from(bytes).toString("latin1"),
          drain() {},
          end: () => hasEnded = true,
          close: () => hasEnded = true,
        }, {
          capacity: 1,
          connectTimeoutMs: 5000,
          tls: { insecure: true, alpn: [] },
          connectionsPerSocket: 1,
          datagrams: false,
          maxMessageBytes: 65_536,
        });
        try {
          dialer.connect(0);
          await until("it is open", () => isOpen);
          for (const piece of pieces) {
            dialer.send(0, piece, 0, piece.length, piece.length);
            await Bun.sleep(20);
          }
          if (endsAfter) dialer.finish(0);
          const length = pieces.reduce((sum, { length }) => sum + length, 0);
          await until("all came back", () => came.length >= length);
          if (endsAfter) await until("the end came back", () => hasEnded);
          return came;
        } finally {
          await dialer.shutdown();
        }
      };
      const answer = Buffer.from(
        announcedId === undefined ? serverQuestion : serverAnswer("box-1"),
      );
      const [question, hello] = [Buffer.from(serverQuestion), Buffer.from("hello")];
      assert.equal(await ask([question, hello]), answer.toString("latin1") + "hello", scheme);
      assert.equal(await ask([hello, hello]), "hellohello");
      if (scheme === "udp") continue;
      // Not the first thing on a connection: no question.
      assert.equal(await ask([hello, question]), `hello${question.toString("latin1")}`);
      const halves = [question.subarray(0, 20), question.subarray(20)];
      assert.equal(await ask(halves), answer.toString("latin1"));
      assert.equal(await ask([question.subarray(0, 20)], true), "holdfast-server?\0\0\0\0");
    }
  }
}, 30_000);
