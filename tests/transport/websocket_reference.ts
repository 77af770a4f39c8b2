/**
 * A second implementation of RFC 6455 5.2 for the tests: slow, plain, and written apart from the
 * one under test.
 */
export interface ReferenceFrame {
  readonly isFinal: boolean;
  readonly reservedBits: number;
  readonly opcode: number;
  /** Undefined on a frame that is not masked. */
  readonly key: Uint8Array | undefined;
  /** Unmasked. */
  readonly payload: Uint8Array;
}

export interface FrameOptions {
  readonly isFinal?: boolean;
  /** 0x40, 0x20, 0x10. */
  readonly reservedBits?: number;
  readonly key?: readonly [number, number, number, number];
  /** Which form the length is written in; the shortest where it is left out. */
  readonly lengthBytes?: 1 | 2 | 8;
  /** The length that the header claims, where it is not the payload's. */
  readonly claimedLength?: bigint;
}

/** A frame as bytes; not masked unless a key is given. */
export function frame(
  opcode: number,
  payload: Uint8Array | string,
  options: FrameOptions = {},
): Uint8Array {
  const body = Buffer.from(payload);
  const length = options.claimedLength ?? BigInt(body.length);
  const form = options.lengthBytes ?? (length < 126n ? 1 : length < 65536n ? 2 : 8);
  const maskBit = options.key === undefined ? 0 : 0x80;
  const header = Buffer.alloc(1 + (form === 1 ? 1 : form + 1));
  header[0] = ((options.isFinal ?? true) ? 0x80 : 0) | (options.reservedBits ?? 0) | opcode;
  if (form === 1) header[1] = maskBit | Number(length);
  else if (form === 2) {
    header[1] = maskBit | 126;
    header.writeUInt16BE(Number(length), 2);
  } else {
    header[1] = maskBit | 127;
    header.writeBigUInt64BE(length, 2);
  }
  if (options.key === undefined) return Buffer.concat([header, body]);
  const key = Buffer.from(options.key);
  const masked = body.map((byte, i) => byte ^ key[i % 4]!);
  return Buffer.concat([header, key, masked]);
}

/** Every whole frame in these bytes, and what is left behind them. */
export function readFrames(bytes: Uint8Array): { frames: ReferenceFrame[]; rest: Uint8Array } {
  const frames: ReferenceFrame[] = [];
  const buffer = Buffer.from(bytes);
  let at = 0;
  for (;;) {
    if (buffer.length < at + 2) break;
    const isMasked = (buffer[at + 1]! & 0x80) !== 0;
    let length = BigInt(buffer[at + 1]! & 0x7f);
    let next = at + 2;
    if (length === 126n) {
      if (buffer.length < next + 2) break;
      length = BigInt(buffer.readUInt16BE(next));
      next += 2;
    } else if (length === 127n) {
      if (buffer.length < next + 8) break;
      length = buffer.readBigUInt64BE(next);
      next += 8;
    }
    const end = next + (isMasked ? 4 : 0) + Number(length);
    if (buffer.length < end) break;
    const key = isMasked ? buffer.subarray(next, next + 4) : undefined;
    const body = buffer.subarray(end - Number(length), end);
    frames.push({
      isFinal: (buffer[at]! & 0x80) !== 0,
      reservedBits: buffer[at]! & 0x70,
      opcode: buffer[at]! & 0x0f,
      key,
      payload: key === undefined ? body : body.map((byte, i) => byte ^ key[i % 4]!),
    });
    at = end;
  }
  return { frames, rest: buffer.subarray(at) };
}

/** Bytes that are the same in every run. */
export function randomBytes(length: number, random: () => number): Uint8Array {
  return Uint8Array.from({ length }, () => random() * 256);
}
