import { test } from "bun:test";
import assert from "node:assert/strict";
import { testWithVectors, vectorFiles } from "../official_vectors.ts";
import { isAnswer, newChallenge, SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";

test("SigningKey has the public key and the signature of RFC 8032", () => {
  // RFC 8032, section 7.1, TEST 3: a message of two bytes.
  const key = new SigningKey(
    Buffer.from("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "hex"),
  );
  assert.equal(
    key.publicKey,
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
  );
  assert.equal(
    key.answer("af82"),
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" + "af82",
  );
});

test("isAnswer() takes the signature of that challenge by that key, and nothing else", () => {
  const key = new SigningKey(new Uint8Array(32).fill(3));
  const challenge = newChallenge();
  const answer = key.answer(challenge);
  assert.ok(isAnswer(key.publicKey, challenge, answer));
  const other = new SigningKey(new Uint8Array(32).fill(4));
  const changed = (answer[0] === "0" ? "1" : "0") + answer.slice(1);
  for (
    const [publicKey, asked, given] of [
      [other.publicKey, challenge, answer],
      [key.publicKey, newChallenge(), answer],
      [key.publicKey, challenge, changed],
      [key.publicKey, challenge, answer.slice(2)],
      [key.publicKey, challenge, ""],
      [key.publicKey, challenge, key.answer(newChallenge())],
      ["00".repeat(31), challenge, answer],
      ["ff".repeat(32), challenge, answer],
    ] as const
  ) {
    assert.ok(!isAnswer(publicKey, asked, given));
  }
  // Bound to a TLS connection, which is not asked for, it is another message.
  assert.ok(!isAnswer(key.publicKey, challenge, key.answer(challenge, new Uint8Array(32).fill(1))));
});

testWithVectors("SigningKey gives the signatures of the specification's vectors", () => {
  // Section "Cryptosign-based Authentication", "Test Vectors": with and without a TLS channel.
  const texts = [...vectorFiles("**/authentication_cryptosign.md").values()];
  const field = (name: string) => `'${name}': (?:None|'([0-9a-f]+)')`;
  const names = ["channel_id", "private_key", "challenge", "signature"];
  const vector = new RegExp(`\\{\\s*${names.map(field).join(",\\s*")}`, "g");
  const found = texts.flatMap((text) => [...text.matchAll(vector)]);
  const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
  for (const [, channel, seed, challenge, signature] of found) {
    const key = new SigningKey(hex(seed!));
    const channelId = channel === undefined ? undefined : hex(channel);
    assert.equal(key.answer(challenge!, channelId), signature);
    // Without a channel it is what the router takes; with one it is the answer to another challenge.
    assert.equal(isAnswer(key.publicKey, challenge!, signature!), channelId === undefined);
    assert.ok(isAnswer(key.publicKey, signature!.slice(128), signature!));
  }
  assert.deepEqual(found.map(([, channel]) => channel !== undefined), [
    ...[false, false, false],
    ...[true, true, true],
  ]);
});
