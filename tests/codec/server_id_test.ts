import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  beginsLikeQuestion,
  readServerId,
  serverAnswer,
  serverQuestion,
  serverQuestionBytes,
} from "../../lib/codec/server_id.ts";

test("an answer has the size of the question, and holds the id", () => {
  for (const id of ["a", "host.example:4711", "x".repeat(32)]) {
    const answer = serverAnswer(id);
    assert.equal(answer.length, serverQuestionBytes);
    assert.equal(readServerId(answer), id);
    assert.equal(beginsLikeQuestion(answer), false);
  }
  assert.throws(() => serverAnswer("x".repeat(33)), RangeError);
});

test("an echo of the question has no id, and anything else is no answer", () => {
  assert.equal(serverQuestion.length, serverQuestionBytes);
  assert.equal(readServerId(serverQuestion), "");
  assert.equal(readServerId(new Uint8Array(serverQuestionBytes)), undefined);
  assert.equal(readServerId(Buffer.from("HTTP/1.1 400 Bad Request".padEnd(48))), undefined);
});

test("beginsLikeQuestion() sees it in pieces, and with what follows", () => {
  for (let length = 1; length <= serverQuestionBytes; length++) {
    assert.equal(beginsLikeQuestion(serverQuestion.subarray(0, length)), true);
    const other = serverQuestion.slice(0, length);
    other[length - 1]! ^= 1;
    assert.equal(beginsLikeQuestion(other), false, String(length));
  }
  assert.equal(beginsLikeQuestion(Buffer.concat([serverQuestion, Buffer.from("more")])), true);
});
