import { malformed } from "./malformed.ts";
import type { Encoded, Serializer } from "./serializer.ts";

/**
 * The arguments of an application on their way through: positional and keyword arguments, which are
 * the last one or two elements of a message. Between peers of one serializer their bytes are passed
 * on as they are; for another one they are decoded once and encoded once.
 */
export class Payload {
  /** No arguments. */
  static readonly empty = new Payload(0);

  /** How many elements of the message they are: 0, 1 or 2. */
  readonly count: number;
  readonly #origin: Serializer | undefined;
  /** By index of the serializer. */
  readonly #encoded: (Encoded | undefined)[] = [undefined, undefined, undefined];
  #values: readonly unknown[] | undefined;

  private constructor(count: number, origin?: Serializer) {
    this.count = count;
    this.#origin = origin;
  }

  /** Arguments from values. */
  static of(values: readonly unknown[]): Payload {
    if (values.length === 0) return Payload.empty;
    const payload = new Payload(values.length);
    payload.#values = values;
    return payload;
  }

  /** Arguments as a message carried them; `values`: the same where they are known already. */
  static encoded(
    serializer: Serializer,
    encoded: Encoded,
    count: number,
    values?: readonly unknown[],
  ): Payload {
    const payload = new Payload(count, serializer);
    payload.#encoded[serializer.index] = encoded;
    payload.#values = values;
    return payload;
  }

  /**
   * Positional and keyword arguments, as many as there are.
   *
   * @throws {ProtocolViolation} what came cannot be decoded.
   */
  values(): readonly unknown[] {
    const origin = this.#origin;
    return this.#values ??= origin === undefined
      ? []
      : origin.decodeValues(this.#encoded[origin.index]!, this.count);
  }

  /**
   * The arguments as they stand in a message of that serializer.
   *
   * @throws {ProtocolViolation} what came cannot be decoded, or not be encoded there.
   */
  encodedFor(serializer: Serializer): Encoded {
    return this.#encoded[serializer.index] ??= this.#encodeFor(serializer);
  }

  #encodeFor(serializer: Serializer): Encoded {
    try {
      return serializer.encodeValues(this.values());
    } catch (error) {
      throw malformed(serializer.name, error);
    }
  }
}
