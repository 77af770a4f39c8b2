import { test } from "bun:test";
import assert from "node:assert/strict";
import { RPC } from "@libp2p/gossipsub/message";
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { privateKeyOf } from "../../../lib/p2p/identity.ts";
import { keepKeys } from "../../../lib/p2p/network/kept_keys.ts";
import {
  fastIdOf,
  knowSigners,
  type RawMessage,
  type Validation,
  type Validator,
} from "../../../lib/p2p/network/known_signers.ts";
import { stressTestTopic as topic } from "../../../lib/p2p/network/topic.ts";
import { fullMesh, type GossipNode, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

const author = await privateKeyOf(1);
const stranger = await privateKeyOf(2);
keepKeys(author);
const peer = peerIdFromPrivateKey(author);

let next = 0;

async function signedMessage(signer = author): Promise<RawMessage & { data: Uint8Array }> {
  const fields = {
    from: peer.toMultihash().bytes,
    data: Buffer.from(`message ${next}`),
    seqno: Uint8Array.of(0xff, 0xee, 0xdd, 0xcc, 0, 0, 0, next++),
    topic,
  };
  const bytes = Buffer.concat([Buffer.from("libp2p-pubsub:"), RPC.Message.encode(fields)]);
  return { ...fields, signature: await signer.sign(bytes) };
}

/** A router that finds everything valid, and says what it was asked. */
function askedRouter() {
  const asked: RawMessage[] = [];
  const told: string[] = [];
  const [seen, fast] = [new Set<string>(), new Map<string, string>()];
  const router: Validator = {
    fastMsgIdCache: { get: (id) => fast.get(id), put: (id, value) => fast.set(id, value) },
    seenCache: { has: (id) => seen.has(id), put: (id) => seen.add(id) },
    opts: { idontwantMinDataSize: 0 },
    sendIDontWants: (id, _topic, source) => told.push(`${Buffer.from(id)} of ${source}`),
    validateReceivedMessage: (_source, message) => {
      asked.push(message);
      return {
        code: "valid",
        messageId: { msgId: new Uint8Array(0), msgIdStr: "the library's" },
        msg: { type: "signed", from: peer, key: author.publicKey },
      };
    },
  };
  knowSigners(router, topic);
  const validate = (message: RawMessage): Promise<Validation> =>
    Promise.resolve(router.validateReceivedMessage(peer, message));
  return { asked, told, seen, fast, validate };
}

test("knowSigners() asks the library for the first message of an author alone", async () => {
  const { asked, told, seen, fast, validate } = askedRouter();
  await validate(await signedMessage());
  assert.equal(asked.length, 1);
  const message = await signedMessage();
  const validation = await validate(message);
  assert.equal(asked.length, 1);
  const number = 0xffeeddcc00000000n + BigInt(next - 1);
  const id = `${peer}${number}`;
  assert.ok(validation.code === "valid");
  assert.equal(validation.messageId.msgIdStr, id);
  assert.equal(Buffer.from(validation.messageId.msgId).toString(), id);
  assert.deepEqual(validation.msg, {
    type: "signed",
    from: peer,
    data: message.data,
    sequenceNumber: number,
    topic,
    signature: message.signature,
    key: author.publicKey,
  });
  assert.deepEqual([seen.has(id), fast.get(fastIdOf(message))], [true, id]);
  assert.deepEqual(told, [`${id} of ${peer}`]);
  // The second copy.
  assert.deepEqual(await validate(message), { code: "duplicate", msgIdStr: id });
  assert.equal(asked.length, 1);
});

test("knowSigners() leaves to the library what is not certainly valid", async () => {
  const { asked, validate } = askedRouter();
  await validate(await signedMessage());
  const key = publicKeyToProtobuf(author.publicKey);
  const { signature: _, ...unsigned } = await signedMessage();
  const altered = await signedMessage();
  altered.data[3]! ^= 1;
  const doubtful: RawMessage[] = [
    unsigned,
    altered,
    await signedMessage(stranger),
    { ...await signedMessage(), topic: "another" },
    { ...await signedMessage(), seqno: new Uint8Array(7) },
    { ...await signedMessage(), seqno: new Uint8Array(9) },
    { ...await signedMessage(), from: Uint8Array.of(1, 2, 3) },
    { ...await signedMessage(), signature: new Uint8Array(0) },
    { ...await signedMessage(), signature: new Uint8Array(64) },
    { ...await signedMessage(), key: publicKeyToProtobuf(stranger.publicKey) },
    // Not seen of this author before: a peer id has to be made of it.
    { ...await signedMessage(), key },
  ];
  for (const [index, message] of doubtful.entries()) {
    const before = asked.length;
    await validate(message);
    assert.equal(asked.length, before + 1, `message ${index}`);
  }
  // By now it is.
  const before = asked.length;
  await validate({ ...await signedMessage(), key });
  assert.equal(asked.length, before);
});

test("knowSigners() keeps nothing of a message but who signed it", async () => {
  const { asked, validate } = askedRouter();
  const key = publicKeyToProtobuf(author.publicKey);
  // The library passes over fields that nobody knows, however long: field 15, of 100 bytes.
  const longKey = Buffer.concat([key, Uint8Array.of(0x7a, 100), new Uint8Array(100)]);
  for (let round = 0; round < 2; round++) {
    await validate({ ...await signedMessage(), key: longKey });
    assert.equal(asked.length, round + 1);
  }
  const chunk = new Uint8Array(1_000_000);
  const message = await signedMessage();
  chunk.set(message.from!, 500);
  await validate({ ...message, from: chunk.subarray(500, 500 + message.from!.byteLength) });
  const validation = await validate(await signedMessage());
  assert.ok(validation.code === "valid");
  assert.equal(asked.length, 3);
  assert.ok((validation.msg.from?.toMultihash().bytes.buffer.byteLength ?? 0) < 1_000);
});

test("knowSigners() refuses an author whose id is too long to be one", async () => {
  const { asked, validate } = askedRouter();
  const validation = await validate({ ...await signedMessage(), from: new Uint8Array(300_000) });
  assert.deepEqual([validation, asked], [{ code: "invalid" }, []]);
});

interface Router extends Validator {
  readonly score: { readonly deliveryRecords: { readonly records: ReadonlyMap<string, unknown> } };
  handleReceivedMessage(from: unknown, message: RawMessage): Promise<void>;
}

function routerOf({ network }: GossipNode): Router {
  return (network as unknown as { readonly router: Router }).router;
}

test(
  "startGossipsub() lets the library validate one message of each author, and judges nobody",
  async () => {
    const [first, ...others] = gossipNodes(3);
    assert.ok(first !== undefined);
    const nodes = [first, ...others];
    let asked = 0;
    await withNodes(nodes, async () => {
      await first.start();
      const library = Object.getPrototypeOf(routerOf(first)) as Validator;
      const validate = library.validateReceivedMessage;
      library.validateReceivedMessage = function (source, message) {
        asked++;
        return validate.call(this, source, message);
      };
      try {
        await Promise.all(others.map((node) => node.start()));
      } finally {
        library.validateReceivedMessage = validate;
      }
      await fullMesh(nodes);
      const keys: (Uint8Array | undefined)[] = [];
      for (const node of others) {
        const router = routerOf(node);
        const handle = router.handleReceivedMessage.bind(router);
        router.handleReceivedMessage = (from, message) => {
          keys.push(message.key);
          return handle(from, message);
        };
      }
      for (let token = 0; token < 20; token++) {
        first.network.publish(Buffer.from(`message ${token}`), token);
        await until(
          "it is there",
          () => others.every(({ received }) => received.size === token + 1),
        );
      }
      assert.equal(asked, others.length);
      // The author's key is in its peer id.
      assert.ok(
        keys.length >= 40 && keys.every((key) => key === undefined),
      );
      for (const node of nodes) {
        assert.equal(routerOf(node).score.deliveryRecords.records.size, 0);
        assert.equal(node.network.invalidMessages(), 0);
      }
    });
  },
  60_000,
);
