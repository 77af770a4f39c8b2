import type { Failure } from "../stats/failure.ts";

/** So much of what came is shown. */
const shownBytes = 32;

/** How other protocols begin. */
const protocols: readonly (readonly [start: RegExp, name: string])[] = [
  [/^HTTP\/\d/, "an HTTP server"],
  [/^SSH-/, "an SSH server"],
  // deno-lint-ignore no-control-regex
  [/^[\x14-\x17]\x03[\x00-\x04]/, "a TLS server"],
];

/**
 * The failure of a connection that brought something else than answers: what came, and who may have
 * sent it.
 *
 * @param offset where in `bytes` it begins.
 */
export function unreadableAnswer(bytes: Uint8Array, offset: number): Failure {
  const start = bytes.subarray(offset, offset + shownBytes);
  const text = String.fromCharCode(...start);
  const protocol = protocols.find(([pattern]) => pattern.test(text))?.[1];
  // deno-lint-ignore no-control-regex
  const isText = /^[\x09\x0a\x0d\x20-\x7e]+$/.test(text);
  const shown = isText ? JSON.stringify(text) : `bytes ${start.toHex()}`;
  const who = protocol === undefined ? "" : `, as from ${protocol}`;
  const rest = bytes.length - offset > shownBytes ? "…" : "";
  return { kind: "protocol", detail: `no answer, but ${shown}${rest}${who}` };
}
