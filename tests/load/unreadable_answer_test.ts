import { test } from "bun:test";
import assert from "node:assert/strict";
import { unreadableAnswer } from "../../lib/load/unreadable_answer.ts";

const detailOf = (text: string, offset = 0) =>
  unreadableAnswer(new Uint8Array(Buffer.from(text, "latin1")), offset).detail;

test("unreadableAnswer() shows the beginning of what came, and who sends such a thing", () => {
  assert.equal(
    detailOf("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    'no answer, but "HTTP/1.1 400 Bad Request\\r\\nConnec"…, as from an HTTP server',
  );
  assert.equal(
    detailOf("SSH-2.0-x\r\n"),
    'no answer, but "SSH-2.0-x\\r\\n", as from an SSH server',
  );
  assert.equal(
    detailOf("\x15\x03\x01\x00\x02\x02\x46"),
    "no answer, but bytes 15030100020246, as from a TLS server",
  );
  assert.equal(detailOf("..220 mail", 2), 'no answer, but "220 mail"');
  assert.equal(unreadableAnswer(new Uint8Array(12), 0).kind, "protocol");
});

test("unreadableAnswer() is one printable line whatever came", () => {
  for (let byte = 0; byte < 256; byte++) {
    for (const length of [1, 12, 33, 10_000]) {
      const { detail } = unreadableAnswer(new Uint8Array(length).fill(byte), 0);
      assert.match(detail, /^no answer, but [\x20-\x7e]{3,200}…?$/);
    }
  }
});
