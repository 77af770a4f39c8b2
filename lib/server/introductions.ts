import { beginsLikeQuestion, serverAnswer, serverQuestionBytes } from "../codec/server_id.ts";

/**
 * Answers clients that ask for this server's id, with the first bytes of a connection or with any
 * datagram. What is no question is left as it is.
 *
 * Costs a connection nothing, except while its first bytes may be the beginning of a question.
 */
export class Introductions {
  readonly #answer: Uint8Array;
  /** First bytes that may go on to be a question. */
  readonly #started = new Map<number, Uint8Array>();

  constructor(serverId: string) {
    this.#answer = serverAnswer(serverId);
  }

  /**
   * @param bytes the next of the first bytes of a connection.
   * @returns what is to be echoed in their place; undefined while it takes more of them to tell.
   */
  first(id: number, bytes: Uint8Array): Uint8Array | undefined {
    const before = this.#started.get(id);
    const all = before === undefined ? bytes : Buffer.concat([before, bytes]);
    if (before !== undefined) this.#started.delete(id);
    if (!beginsLikeQuestion(all)) return all;
    if (all.length < serverQuestionBytes) {
      this.#started.set(id, all.slice());
      return undefined;
    }
    if (all.length === serverQuestionBytes) return this.#answer;
    return Buffer.concat([this.#answer, all.subarray(serverQuestionBytes)]);
  }

  /** What is to be echoed in place of a datagram. */
  datagram(bytes: Uint8Array): Uint8Array {
    return bytes.length === serverQuestionBytes && beginsLikeQuestion(bytes) ? this.#answer : bytes;
  }

  /** No more will come: what was kept has to be echoed, where something was. */
  rest(id: number): Uint8Array | undefined {
    const kept = this.#started.get(id);
    this.#started.delete(id);
    return kept;
  }
}
