import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { privateKeyOf, secretOf } from "../../../lib/p2p/identity.ts";
import { FrameReader } from "../../../lib/p2p/network/gossipsub/frame_reader.ts";
import {
  isSignedBy,
  peerIdBytes,
  signer,
  Sources,
} from "../../../lib/p2p/network/gossipsub/sources.ts";
import {
  emptyParts,
  MessageWriter,
  readMessage,
  readRpcField,
  readVarint,
  signPrefix,
  varint,
  varintOf,
} from "../../../lib/p2p/network/gossipsub/wire.ts";
import { stressTestTopic } from "../../../lib/p2p/network/topic.ts";
// The library's own reader and writer, as the reference.
import { RPC } from "@libp2p/gossipsub/message";

async function writerOf(nodeId: number) {
  const { publicKey } = await privateKeyOf(nodeId);
  const peerId = peerIdBytes(publicKey.raw);
  const sign = signer(secretOf(nodeId), publicKey.raw);
  return { peerId, writer: new MessageWriter(peerId, stressTestTopic, sign) };
}

/** The RPC of a frame, without its length. */
function rpcOf(frame: Uint8Array): Uint8Array {
  const length = readVarint(frame, 0, frame.byteLength);
  assert.equal(length, frame.byteLength - varint.end);
  return frame.subarray(varint.end);
}

test("varints are read as they are written, and refused where they are cut off", () => {
  for (const value of [0, 1, 127, 128, 300, 2 ** 28, 2 ** 32 + 5, 2 ** 48]) {
    const bytes = varintOf(value);
    assert.equal(readVarint(bytes, 0, bytes.byteLength), value);
    assert.equal(varint.end, bytes.byteLength);
    assert.equal(readVarint(bytes, 0, bytes.byteLength - 1), -1);
  }
  assert.equal(readVarint(new Uint8Array(20).fill(0xff), 0, 20), -1);
});

test("MessageWriter writes what the library reads and re-encodes to the same bytes", async () => {
  const { peerId, writer } = await writerOf(3);
  for (const size of [0, 1, 36, 127, 128, 16_383, 16_384, 70_000]) {
    const data = randomBytes(size);
    const sequence = randomBytes(8);
    const written = writer.write(data, sequence);
    const rpc = rpcOf(written.frame);
    const decoded = RPC.decode(rpc);
    const [message] = decoded.messages;
    assert.equal(decoded.messages.length, 1);
    assert.ok(message !== undefined);
    assert.deepEqual(Buffer.from(message.data ?? []), data);
    assert.deepEqual(Buffer.from(message.from ?? []), Buffer.from(peerId));
    assert.deepEqual(Buffer.from(message.seqno ?? []), sequence);
    assert.equal(message.topic, stressTestTopic);
    if (size > 0) assert.deepEqual(Buffer.from(RPC.encode(decoded)), Buffer.from(rpc));
    const signed = { ...message };
    delete signed.signature;
    const bytes = Buffer.concat([signPrefix, RPC.Message.encode(signed)]);
    const source = new Sources().of(peerId, 0, peerId.byteLength);
    assert.ok(source !== undefined);
    if (size > 0) assert.ok(isSignedBy(source, bytes, message.signature ?? new Uint8Array(0)));
    bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
    assert.equal(isSignedBy(source, bytes, message.signature ?? new Uint8Array(0)), false);
  }
});

test("readMessage() finds the parts that were written, and survives what is cut off", async () => {
  const { peerId, writer } = await writerOf(4);
  const written = writer.write(Buffer.from("hello"), Buffer.alloc(8, 7));
  const rpc = rpcOf(written.frame);
  const field = { tag: 0, start: 0, end: 0 };
  assert.ok(readRpcField(rpc, 0, field));
  const parts = emptyParts();
  assert.ok(readMessage(rpc, field.start, field.end, parts));
  assert.equal(Buffer.from(rpc.subarray(parts.dataStart, parts.dataEnd)).toString(), "hello");
  assert.deepEqual(
    Buffer.from(rpc.subarray(parts.fromStart, parts.fromEnd)),
    Buffer.from(peerId),
  );
  assert.equal(parts.signedEnd, parts.topicEnd);
  for (let end = field.start; end < field.end; end++) {
    readMessage(rpc, field.start, end, parts);
    for (const part of Object.values(parts)) assert.ok(part <= end);
  }
  for (let round = 0; round < 5_000; round++) {
    const noise = randomBytes(1 + round % 80);
    readMessage(noise, 0, noise.byteLength, parts);
    for (const part of Object.values(parts)) assert.ok(part <= noise.byteLength);
    if (readRpcField(noise, 0, field)) assert.ok(field.end <= noise.byteLength);
  }
});

test("FrameReader gives the same frames however the bytes are cut", () => {
  const frames = [0, 1, 127, 128, 5_000, 70_000].map((size) => randomBytes(size));
  const bytes = Buffer.concat(frames.flatMap((frame) => [varintOf(frame.byteLength), frame]));
  for (const piece of [1, 2, 7, 1_000, 65_536, bytes.byteLength]) {
    const read: Buffer[] = [];
    const reader = new FrameReader(100_000, (frame) => read.push(Buffer.from(frame)));
    for (let at = 0; at < bytes.byteLength; at += piece) {
      reader.read(bytes.subarray(at, at + piece));
    }
    assert.deepEqual(
      read.map((frame) => frame.toString("hex")),
      frames.map((frame) => frame.toString("hex")),
      `pieces of ${piece}`,
    );
  }
  assert.throws(() => new FrameReader(100, () => {}).read(varintOf(101)), RangeError);
});
