/** Files that no option can use, certificates that do not fit, and what errors look like. */
import { afterAll } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../lib/transport/certificates.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-bad-input-"));
afterAll(() => rmSync(directory, { recursive: true }));

export const inDirectory = (name: string) => join(directory, name);
writeFileSync(inDirectory("noise"), randomBytes(50_000));
writeFileSync(inDirectory("empty"), "");
writeFileSync(inDirectory("letters.txt"), "2\n1000 5\n1000 five\n");

const makePair = () => makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
export const ours = await makePair();
export const others = await makePair();
writeFileSync(inDirectory("ca.pem"), ours.ca);
writeFileSync(inDirectory("cert.pem"), ours.cert);
writeFileSync(inDirectory("key.pem"), ours.key);
writeFileSync(inDirectory("other-ca.pem"), others.ca);
writeFileSync(inDirectory("other-key.pem"), others.key);

/** One line that begins like every error, and that is not the end of a trace. */
export function assertOneLine(text: string): void {
  assert.match(text, /^holdfast: [^\n]+\n$/);
  assert.doesNotMatch(text, / at .*:\d+|this is a bug/);
}
