import { type Codec, type Framing, headerCorrupt, headerOk, type HeaderResult } from "./codec.ts";
import { parseDnsQuery } from "./dns_query.ts";

export interface DnsCodecSettings {
  /** `name/TYPE`. */
  readonly query: string;
  readonly framing: Framing;
}

/** Header of a DNS message (RFC 1035 section 4.1.1). */
const dnsHeaderBytes = 12;

/** Names of response codes (RFC 6895 section 2.3, RFC 8490), by number. */
const responseCodes: readonly string[] = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
  "DSOTYPENI",
  "RCODE12",
  "RCODE13",
  "RCODE14",
  "RCODE15",
];
/** Places behind the 16 response codes in the array of counts. */
const truncatedStatus = 16;
const echoedStatus = 17;

/** Bits of the third byte of the header. */
const responseBit = 0x80;
const opcodeBits = 0x78;
const truncatedBit = 0x02;

/**
 * The same query in every message, told apart by its 16-bit id (RFC 1035 section 4). Over streams
 * each message has a two-byte length before it (section 4.2.2).
 *
 * Two kinds of peers answer: a DNS server, of whose answers the header and the question are checked
 * (the question byte by byte: servers keep the case of names, RFC 4343 section 4.1), and an echo
 * server, which sends the query itself. `answerStatuses` counts `echoed` queries, response codes,
 * and `truncated` answers in addition to their code.
 *
 * @throws {UsageError} see `parseDnsQuery`.
 */
export function createDnsCodec(settings: DnsCodecSettings): Codec {
  return new DnsCodec(settings);
}

class DnsCodec implements Codec {
  readonly name = "dns";
  readonly messageBytes: number;
  readonly headerBytes: number;
  readonly sequenceBits = 16;
  answerBytes = 0;
  answerSequence = 0;

  /** Bytes before the DNS message: its length on streams, nothing elsewhere. */
  readonly #prefixBytes: 0 | 2;
  /** The whole message with id 0. */
  readonly #message: Uint8Array;
  readonly #statuses = new Float64Array(18);

  constructor({ query, framing }: DnsCodecSettings) {
    const { name, type } = parseDnsQuery(query);
    const prefixBytes = framing === "stream" ? 2 : 0;
    const queryBytes = dnsHeaderBytes + name.length + 4;
    const message = new Uint8Array(prefixBytes + queryBytes);
    if (prefixBytes > 0) message.set([queryBytes >>> 8, queryBytes & 0xff]);
    message[prefixBytes + 2] = 0x01; // recursion desired
    message[prefixBytes + 5] = 1; // one question
    message.set(name, prefixBytes + dnsHeaderBytes);
    message.set([type >>> 8, type & 0xff, 0, 1], prefixBytes + dnsHeaderBytes + name.length); // IN
    this.#prefixBytes = prefixBytes;
    this.#message = message;
    this.messageBytes = message.length;
    this.headerBytes = prefixBytes + dnsHeaderBytes;
  }

  prepare(batch: Uint8Array): void {
    const message = this.#message;
    for (let at = 0; at < batch.length; at += message.length) {
      const room = batch.length - at;
      batch.set(room < message.length ? message.subarray(0, room) : message, at);
    }
  }

  stamp(batch: Uint8Array, offset: number, sequence: number): void {
    const at = offset + this.#prefixBytes;
    batch[at] = sequence >>> 8;
    batch[at + 1] = sequence;
  }

  readHeader(bytes: Uint8Array, offset: number, available: number): HeaderResult {
    if (available < this.headerBytes) return headerCorrupt;
    const prefixBytes = this.#prefixBytes;
    const start = offset + prefixBytes;
    let answerBytes = available;
    if (prefixBytes > 0) {
      answerBytes = prefixBytes + ((bytes[offset]! << 8) | bytes[offset + 1]!);
      if (answerBytes < this.headerBytes) return headerCorrupt;
    }
    const flags = bytes[start + 2]!;
    let status: number;
    if ((flags & responseBit) === 0) {
      if (answerBytes !== this.messageBytes) return headerCorrupt;
      for (let i = 2; i < dnsHeaderBytes; i++) {
        if (bytes[start + i] !== this.#message[prefixBytes + i]) return headerCorrupt;
      }
      status = echoedStatus;
    } else {
      if (!this.#isResponseHeader(bytes, start)) return headerCorrupt;
      const hasQuestion = bytes[start + 5] === 1;
      if (hasQuestion && answerBytes < this.messageBytes) return headerCorrupt;
      status = bytes[start + 3]! & 0x0f;
      if ((flags & truncatedBit) !== 0) this.#statuses[truncatedStatus]!++;
    }
    this.#statuses[status]!++;
    this.answerBytes = answerBytes;
    this.answerSequence = (bytes[start]! << 8) | bytes[start + 1]!;
    return headerOk;
  }

  matches(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    sequence: number,
  ): boolean {
    if (offset + length > bytes.length) return false;
    const prefixBytes = this.#prefixBytes;
    const message = this.#message;
    // What is compared is as in the query: all of it when it was echoed, else the question. What
    // stands behind the question are the records of a real answer.
    const end = Math.min(position + length, message.length);
    let at = position;
    if (at === 0) {
      if (length < this.headerBytes) return false;
      const start = offset + prefixBytes;
      if (bytes[start] !== ((sequence >>> 8) & 0xff)) return false;
      if (bytes[start + 1] !== (sequence & 0xff)) return false;
      if ((bytes[start + 2]! & responseBit) !== 0) {
        if (!this.#isResponseHeader(bytes, start)) return false;
        at = this.headerBytes;
      } else if (
        prefixBytes > 0 && (bytes[offset] !== message[0] || bytes[offset + 1] !== message[1])
      ) {
        return false;
      } else {
        at = prefixBytes + 2;
      }
    }
    const shift = offset - position;
    for (; at < end; at++) if (bytes[shift + at] !== message[at]) return false;
    return true;
  }

  answerStatuses(): Record<string, number> {
    const named: Record<string, number> = {};
    for (let i = 0; i < this.#statuses.length; i++) {
      const count = this.#statuses[i]!;
      if (count === 0) continue;
      named[
        i === truncatedStatus ? "truncated" : i === echoedStatus ? "echoed" : responseCodes[i]!
      ] = count;
    }
    return named;
  }

  /** The opcode is the query's, and the question stands there or (with an error) is left out. */
  #isResponseHeader(bytes: Uint8Array, start: number): boolean {
    return (bytes[start + 2]! & opcodeBits) === 0 && bytes[start + 4] === 0 &&
      bytes[start + 5]! <= 1;
  }
}
