import { UsageError } from "../errors.ts";
import type { Failure } from "../stats/failure.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { oneLine } from "./websocket_close.ts";

/** A response head is at most this long; a server that goes on without an end is given up. */
const maxResponseHeadBytes = 16384;

const nonceBytes = 16;
const keyBytes = 24;
/** RFC 6455 1.3: what a server appends to the key before it hashes. */
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const base64 = new TextEncoder().encode(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);
const latin1 = new TextDecoder("latin1");

/**
 * The opening handshakes of one dialer (RFC 6455 4.1). The requests differ in the key alone, which
 * is fresh for each connection as 4.1 asks: drawing 16 bytes and hashing them for the answer costs
 * about 2 µs, little beside the 100 µs of an upgrade. The nonce is kept until the answer: 16 bytes
 * a connection, and the head of a response while it is incomplete.
 */
export class UpgradeHandshakes {
  readonly #request: Uint8Array;
  readonly #keyAt: number;
  readonly #nonces: Uint8Array;
  /** Random bytes, drawn many at once. */
  readonly #pool = new Uint8Array(nonceBytes * 256);
  #poolAt = this.#pool.length;
  readonly #heads = new Map<number, Uint8Array>();
  readonly #subprotocol: string;

  /**
   * @param subprotocol what is offered as Sec-WebSocket-Protocol; empty: nothing.
   * @throws {UsageError} the path cannot be the target of a request.
   */
  constructor(endpoint: Endpoint, capacity: number, subprotocol = "") {
    this.#subprotocol = subprotocol;
    this.#nonces = new Uint8Array(capacity * nonceBytes);
    const head = `GET ${requestTarget(endpoint)} HTTP/1.1\r\nHost: ${hostHeader(endpoint)}\r\n` +
      `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      (subprotocol === "" ? "" : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`) +
      `Sec-WebSocket-Key: `;
    this.#request = new TextEncoder().encode(`${head}${"=".repeat(keyBytes)}\r\n\r\n`);
    this.#keyAt = this.#request.length - 4 - keyBytes;
  }

  /** The request that opens this connection; valid until the next call. */
  request(id: number): Uint8Array {
    if (this.#poolAt === this.#pool.length) {
      crypto.getRandomValues(this.#pool);
      this.#poolAt = 0;
    }
    const nonceAt = id * nonceBytes;
    for (let i = 0; i < nonceBytes; i++) {
      this.#nonces[nonceAt + i] = this.#pool[this.#poolAt++]!;
    }
    this.#writeKey(id, this.#request, this.#keyAt);
    return this.#request;
  }

  /**
   * Takes the next bytes that a server answers.
   *
   * @returns why the connection cannot be used, or how many of `bytes` belong to the response when
   * it is complete and in order, or undefined while more has to come.
   */
  receive(id: number, bytes: Uint8Array): Failure | number | undefined {
    const before = this.#heads.get(id);
    const beforeBytes = before === undefined ? 0 : before.length;
    const head = before === undefined ? bytes : Buffer.concat([before, bytes]);
    if (!beginsLikeResponse(head)) return notHttp(head);
    const end = responseHeadEnd(head, Math.max(0, beforeBytes - 3));
    if ((end < 0 ? head.length : end) > maxResponseHeadBytes) return endlessHead;
    if (end < 0) {
      this.#heads.set(id, before === undefined ? bytes.slice() : head);
      return undefined;
    }
    return checkUpgradeResponse(head.subarray(0, end), this.#accept(id), this.#subprotocol) ??
      end - beforeBytes;
  }

  /** Forgets the answer of a connection. */
  reset(id: number): void {
    if (this.#heads.size > 0) this.#heads.delete(id);
  }

  /** The Sec-WebSocket-Accept that answers this connection's key (RFC 6455 4.2.2, item 5.4). */
  #accept(id: number): string {
    const key = new Uint8Array(keyBytes);
    this.#writeKey(id, key, 0);
    return acceptOf(latin1.decode(key));
  }

  /** The nonce in base64: 16 bytes are 22 characters and two of padding, already in place. */
  #writeKey(id: number, target: Uint8Array, targetAt: number): void {
    const nonces = this.#nonces;
    let from = id * nonceBytes;
    let to = targetAt;
    for (let group = 0; group < 5; group++, from += 3) {
      const bits = (nonces[from]! << 16) | (nonces[from + 1]! << 8) | nonces[from + 2]!;
      target[to++] = base64[bits >>> 18]!;
      target[to++] = base64[(bits >>> 12) & 63]!;
      target[to++] = base64[(bits >>> 6) & 63]!;
      target[to++] = base64[bits & 63]!;
    }
    const last = nonces[from]!;
    target[to++] = base64[last >>> 2]!;
    target[to++] = base64[(last & 3) << 4]!;
    target[to++] = 0x3d;
    target[to] = 0x3d;
  }
}

/** The accept value for a key: base64 of the SHA-1 of the key and the fixed suffix. */
export function acceptOf(key: string): string {
  return Bun.SHA1.hash(key + acceptSuffix, "base64");
}

/**
 * The path of the endpoint as a request target. Characters that a request line cannot carry are
 * percent-encoded (RFC 3986 2.1).
 *
 * @throws {UsageError} a fragment, which RFC 6455 section 3 forbids.
 */
function requestTarget(endpoint: Endpoint): string {
  if (endpoint.path.includes("#")) {
    throw new UsageError(
      `endpoint ${JSON.stringify(formatEndpoint(endpoint))} has a fragment; ` +
        `write # in a WebSocket path as %23`,
    );
  }
  // deno-lint-ignore no-control-regex
  return endpoint.path.replace(/[\x00-\x20\x7f-\uffff]+/g, (text) => {
    return encodeURIComponent(text.toWellFormed());
  });
}

/** RFC 6455 4.1: the port is left out where it is the default one of the scheme, 80 or 443. */
function hostHeader(endpoint: Endpoint): string {
  const name = endpoint.host === "" ? "localhost" : endpoint.host;
  const host = name.includes(":") ? `[${name}]` : name;
  const isDefault = endpoint.port === (endpoint.scheme === "wss" ? 443 : 80);
  return isDefault ? host : `${host}:${endpoint.port}`;
}

/**
 * Where the head of a response ends: the offset behind the empty line.
 *
 * @returns -1 when there is no empty line yet.
 */
function responseHeadEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (at >= 3 && bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13) {
      return at + 1;
    }
  }
  return -1;
}

const httpPrefix = new TextEncoder().encode("HTTP/1.1 ");

/** Whether these bytes can be the beginning of an HTTP/1.1 response. */
function beginsLikeResponse(bytes: Uint8Array): boolean {
  const count = Math.min(bytes.length, httpPrefix.length);
  for (let i = 0; i < count; i++) if (bytes[i] !== httpPrefix[i]) return false;
  return true;
}

/** The failure for a server whose response head does not end. */
const endlessHead: Failure = {
  kind: "protocol",
  detail:
    `the answer to the WebSocket upgrade has a head of more than ${maxResponseHeadBytes} bytes`,
};

/** The failure for a peer that does not speak HTTP/1.1, with the beginning of what it said. */
function notHttp(bytes: Uint8Array): Failure {
  const text = oneLine(latin1.decode(bytes.subarray(0, 32)));
  return {
    kind: "protocol",
    detail: `the answer to the WebSocket upgrade is not HTTP/1.1: "${text}"`,
  };
}

/**
 * Checks the head of the response to an upgrade (RFC 6455 4.1, the second list).
 *
 * @param head from the status line to the empty line.
 * @param subprotocol what was offered; empty: nothing.
 * @returns why the connection cannot be used, undefined when it can: `refused` for a server that
 * takes no more (503), `protocol` for every other answer.
 */
export function checkUpgradeResponse(
  head: Uint8Array,
  accept: string,
  subprotocol = "",
): Failure | undefined {
  const lines = latin1.decode(head).split("\r\n");
  const statusLine = lines[0]!;
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) return notHttp(head);
  if (status !== "101") {
    return {
      kind: status === "503" ? "refused" : "protocol",
      detail: `the server answered the WebSocket upgrade with ${oneLine(statusLine)}`,
    };
  }
  let upgrade = "";
  let connection = "";
  let accepted = "";
  let chosen = "";
  for (let i = 1; i < lines.length && lines[i] !== ""; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(":");
    if (colon <= 0) return violation(`with a malformed header line "${oneLine(line)}"`);
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).toLowerCase()) {
      case "upgrade":
        upgrade = value.toLowerCase();
        break;
      case "connection":
        connection += `,${value.toLowerCase()}`;
        break;
      case "sec-websocket-accept":
        accepted = value;
        break;
      // Items 5 and 6: only what the client offered may come back.
      case "sec-websocket-protocol":
        if (value !== "" && value !== subprotocol) return notOffered(line);
        chosen = value;
        break;
      case "sec-websocket-extensions":
        if (value !== "") return notOffered(line);
    }
  }
  if (upgrade !== "websocket") return violation(`without "Upgrade: websocket"`);
  if (!connection.split(",").some((token) => token.trim() === "upgrade")) {
    return violation(`without "Connection: Upgrade"`);
  }
  if (accepted !== accept) {
    return violation(
      `with ${accepted === "" ? "no" : "a wrong"} Sec-WebSocket-Accept`,
    );
  }
  if (chosen !== subprotocol) return violation(`without the subprotocol ${subprotocol}`);
  return undefined;
}

function notOffered(line: string): Failure {
  return violation(`with "${oneLine(line)}", which was not offered`);
}

function violation(what: string): Failure {
  return { kind: "protocol", detail: `the server answered the WebSocket upgrade ${what}` };
}
