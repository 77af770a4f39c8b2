/**
 * The wire format of gossipsub, as far as messages need it: an RPC is a protobuf message whose field
 * 1 holds subscriptions, 2 messages and 3 control; each goes with an unsigned varint length before it.
 * https://github.com/libp2p/specs/blob/master/pubsub/README.md
 *
 * Messages are read and written in place: nothing is decoded into objects, and what is forwarded are
 * the bytes that came.
 */

/** `publish = 2`, length-delimited. */
export const messagesTag = 0x12;

/** Before what is signed. */
export const signPrefix: Uint8Array = new TextEncoder().encode("libp2p-pubsub:");

/** Where the parts of a message are in the bytes that hold it; −1: there is none. */
export interface MessageParts {
  fromStart: number;
  fromEnd: number;
  dataStart: number;
  dataEnd: number;
  sequenceStart: number;
  sequenceEnd: number;
  topicStart: number;
  topicEnd: number;
  signatureStart: number;
  signatureEnd: number;
  keyStart: number;
  keyEnd: number;
  /**
   * End of the signed part: of the message up to its topic, where its fields are in order and none
   * comes twice; else −1.
   */
  signedEnd: number;
}

export function emptyParts(): MessageParts {
  return {
    ...{ fromStart: -1, fromEnd: -1, dataStart: -1, dataEnd: -1 },
    ...{ sequenceStart: -1, sequenceEnd: -1, topicStart: -1, topicEnd: -1 },
    ...{ signatureStart: -1, signatureEnd: -1, keyStart: -1, keyEnd: -1, signedEnd: -1 },
  };
}

/** Where a varint ended; one for all, since a result object per number is too dear. */
export const varint: { end: number } = { end: 0 };

/**
 * Reads an unsigned varint below 2^53, and where it ended into {@linkcode varint}.
 *
 * @returns −1 where it is cut off or too large.
 */
export function readVarint(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let factor = 1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) {
      varint.end = at + 1;
      return Number.isSafeInteger(value) ? value : -1;
    }
    if (at - start === 7) return -1;
    factor *= 128;
  }
  return -1;
}

/** Bytes that a varint takes. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes an unsigned varint; returns where it ends. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

/** A varint of its own. */
export function varintOf(value: number): Uint8Array {
  const bytes = new Uint8Array(varintBytes(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/**
 * Reads where the parts of a message are.
 *
 * @returns whether it is well-formed; unknown fields, and fields out of order, are.
 */
export function readMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  parts: MessageParts,
): boolean {
  parts.fromStart =
    parts.fromEnd =
    parts.dataStart =
    parts.dataEnd =
      -1;
  parts.sequenceStart =
    parts.sequenceEnd =
    parts.topicStart =
    parts.topicEnd =
      -1;
  parts.signatureStart =
    parts.signatureEnd =
    parts.keyStart =
    parts.keyEnd =
      -1;
  parts.signedEnd = -1;
  let lastField = 0;
  let inOrder = true;
  let at = start;
  while (at < end) {
    const tag = readVarint(bytes, at, end);
    // Every field of a message is length-delimited.
    if (tag < 0 || (tag & 7) !== 2) return false;
    const length = readVarint(bytes, varint.end, end);
    const valueStart = varint.end;
    if (length < 0 || length > end - valueStart) return false;
    at = valueStart + length;
    const field = tag >>> 3;
    if (field <= lastField || field > 6) inOrder = false;
    lastField = field;
    switch (field) {
      case 1:
        parts.fromStart = valueStart;
        parts.fromEnd = at;
        break;
      case 2:
        parts.dataStart = valueStart;
        parts.dataEnd = at;
        break;
      case 3:
        parts.sequenceStart = valueStart;
        parts.sequenceEnd = at;
        break;
      case 4:
        parts.topicStart = valueStart;
        parts.topicEnd = at;
        parts.signedEnd = at;
        break;
      case 5:
        parts.signatureStart = valueStart;
        parts.signatureEnd = at;
        break;
      case 6:
        parts.keyStart = valueStart;
        parts.keyEnd = at;
        break;
    }
  }
  if (!inOrder) parts.signedEnd = -1;
  return true;
}

/** The next field of an RPC. */
export interface RpcField {
  /** With its wire type. */
  tag: number;
  /** Where its value starts. */
  start: number;
  /** Where it ends. */
  end: number;
}

/** Reads the field of an RPC that starts at `at`; false where it is malformed. */
export function readRpcField(rpc: Uint8Array, at: number, field: RpcField): boolean {
  const end = rpc.byteLength;
  field.tag = readVarint(rpc, at, end);
  if (field.tag < 0 || (field.tag & 7) !== 2) return false;
  const length = readVarint(rpc, varint.end, end);
  if (length < 0 || length > end - varint.end) return false;
  field.start = varint.end;
  field.end = field.start + length;
  return true;
}

/** Writes the messages of one author on one topic, with their signature. */
export class MessageWriter {
  private readonly from: Uint8Array;
  private readonly topic: Uint8Array;

  /** @param from the peer id of the author, in bytes. */
  constructor(
    from: Uint8Array,
    topic: string,
    private readonly sign: (bytes: Uint8Array) => Uint8Array,
  ) {
    this.from = Buffer.concat([Uint8Array.of(0x0a), varintOf(from.byteLength), from]);
    const topicBytes = new TextEncoder().encode(topic);
    this.topic = Buffer.concat([
      Uint8Array.of(0x22),
      varintOf(topicBytes.byteLength),
      topicBytes,
    ]);
  }

  /**
   * An RPC with one message, with its length before it.
   *
   * @param sequence 8 bytes.
   */
  write(data: Uint8Array, sequence: Uint8Array): WrittenMessage {
    const signedBytes = this.from.byteLength + 1 + varintBytes(data.byteLength) + data.byteLength +
      2 + sequence.byteLength + this.topic.byteLength;
    const messageBytes = signedBytes + 2 + signatureBytes;
    const rpcBytes = 1 + varintBytes(messageBytes) + messageBytes;
    // The prefix of what is signed stands where the lengths go afterwards.
    const lead = Math.max(signPrefix.byteLength, varintBytes(rpcBytes) + rpcBytes - messageBytes);
    const bytes = new Uint8Array(lead + messageBytes);
    bytes.set(this.from, lead);
    let at = lead + this.from.byteLength;
    bytes[at++] = 0x12;
    at = writeVarint(bytes, at, data.byteLength);
    const dataStart = at;
    bytes.set(data, at);
    at += data.byteLength;
    bytes[at++] = 0x1a;
    bytes[at++] = sequence.byteLength;
    const sequenceStart = at;
    bytes.set(sequence, at);
    at += sequence.byteLength;
    bytes.set(this.topic, at);
    at += this.topic.byteLength;
    const signedStart = lead - signPrefix.byteLength;
    bytes.set(signPrefix, signedStart);
    const signature = this.sign(bytes.subarray(signedStart, at));
    bytes[at++] = 0x2a;
    bytes[at++] = signatureBytes;
    bytes.set(signature, at);
    const rpcStart = lead - (rpcBytes - messageBytes);
    const start = rpcStart - varintBytes(rpcBytes);
    writeVarint(bytes, start, rpcBytes);
    bytes[rpcStart] = messagesTag;
    writeVarint(bytes, rpcStart + 1, messageBytes);
    return {
      frame: bytes.subarray(start),
      from: bytes.subarray(
        lead + 1 + varintBytes(this.from.byteLength - 2),
        lead +
          this.from.byteLength,
      ),
      data: bytes.subarray(dataStart, dataStart + data.byteLength),
      sequence: bytes.subarray(sequenceStart, sequenceStart + sequence.byteLength),
      signature: bytes.subarray(at, at + signatureBytes),
    };
  }
}

/** Of ed25519. */
const signatureBytes = 64;

/** A message as it goes out; the parts are views of the frame. */
export interface WrittenMessage {
  /** Length and RPC. */
  readonly frame: Uint8Array;
  readonly from: Uint8Array;
  readonly data: Uint8Array;
  readonly sequence: Uint8Array;
  readonly signature: Uint8Array;
}
