import { createHash } from "node:crypto";

/**
 * The topic of a name as rust-libp2p's `Sha256Topic` has it: base64 of the SHA-256 of a protobuf
 * message whose field 1 is the name.
 */
export function sha256Topic(name: string): string {
  const text = new TextEncoder().encode(name);
  if (text.byteLength > 127) throw new RangeError(`the topic "${name}" has more than 127 bytes`);
  const fieldOneAsBytes = 0x0a;
  return createHash("sha256").update(Uint8Array.of(fieldOneAsBytes, text.byteLength)).update(text)
    .digest("base64");
}

/** The topic of Apollo's network benchmark. */
export const stressTestTopic: string = sha256Topic("stress_test_topic");
