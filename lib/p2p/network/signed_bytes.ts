/** What its author has signed of a message of gossipsub; the signature and the key stand outside. */
export interface SignedFields {
  readonly from: Uint8Array;
  readonly data: Uint8Array;
  readonly seqno: Uint8Array;
}

const encoder = new TextEncoder();
const prefix = encoder.encode("libp2p-pubsub:");

/** Tags of length-delimited fields 1 to 4 of the message `RPC.Message`. */
const [fromTag, dataTag, seqnoTag, topicTag] = [0x0a, 0x12, 0x1a, 0x22];

/** Room for more is not kept. */
const mostKeptBytes = 1024 * 1024;

/** Of a tag and a length. */
const mostHeaderBytes = 6;

/**
 * The bytes under the signatures of one topic's messages: "libp2p-pubsub:" and the message's protobuf
 * without signature and key (https://github.com/libp2p/specs/tree/master/pubsub#message-signing).
 */
export class SignedBytes {
  private readonly topic: Uint8Array;
  private bytes: Uint8Array = new Uint8Array(4096);
  private at = 0;

  constructor(topic: string) {
    this.topic = encoder.encode(topic);
    this.bytes.set(prefix);
  }

  /** @returns good until the next call. */
  of({ from, data, seqno }: SignedFields): Uint8Array {
    const { topic } = this;
    const most = prefix.byteLength + 4 * mostHeaderBytes + from.byteLength + data.byteLength +
      seqno.byteLength + topic.byteLength;
    const bytes = this.roomFor(most);
    this.at = prefix.byteLength;
    this.field(bytes, fromTag, from);
    this.field(bytes, dataTag, data);
    this.field(bytes, seqnoTag, seqno);
    this.field(bytes, topicTag, topic);
    return bytes.subarray(0, this.at);
  }

  /** Begins with the prefix. */
  private roomFor(most: number): Uint8Array {
    if (most <= this.bytes.byteLength) return this.bytes;
    const isKept = most <= mostKeptBytes;
    const room = new Uint8Array(isKept ? 2 * most : most);
    room.set(prefix);
    if (isKept) this.bytes = room;
    return room;
  }

  private field(bytes: Uint8Array, tag: number, value: Uint8Array): void {
    bytes[this.at++] = tag;
    let left = value.byteLength;
    for (; left >= 0x80; left >>>= 7) bytes[this.at++] = (left & 0x7f) | 0x80;
    bytes[this.at++] = left;
    bytes.set(value, this.at);
    this.at += value.byteLength;
  }
}
