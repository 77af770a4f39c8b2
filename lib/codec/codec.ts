/** What `readHeader` found. */
export const headerOk = 0;
/** The header cannot be one of ours: on a stream the framing is lost. */
export const headerCorrupt = 1;

export type HeaderResult = typeof headerOk | typeof headerCorrupt;

/** Whether bytes arrive in pieces of any size, or one whole message at a time. */
export type Framing = "stream" | "message";

/**
 * What a message is, and how an answer names the message that it answers.
 *
 * Every message of a run has the same size, so that batches are laid out by multiplication. One
 * codec object serves all connections; `readHeader` leaves its findings in fields instead of
 * allocating a result.
 */
export interface Codec {
  readonly name: string;
  /** Encoded size of a message, framing of streams included. */
  readonly messageBytes: number;
  /** How many bytes of an answer must be there before `readHeader` can be called. */
  readonly headerBytes: number;
  /** Low bits of the sequence number that an answer carries: 32 for `echo`, 16 for `dns`. */
  readonly sequenceBits: 16 | 32;

  /** Fills `batch` with messages, end to end; afterwards `stamp` makes each one its own. */
  prepare(batch: Uint8Array): void;
  /** Writes the sequence number into the prepared message at `offset`. */
  stamp(batch: Uint8Array, offset: number, sequence: number): void;

  /**
   * Reads the header of an answer; called once for each answer, because it also counts what the
   * answers say. On `headerOk` the two fields below are set.
   *
   * @param available on streams how many bytes stand at `offset`, at least `headerBytes`; on message
   * framing the length of the whole message, whatever it is: a wrong length is a corrupt header.
   */
  readHeader(bytes: Uint8Array, offset: number, available: number): HeaderResult;
  /** Size of the whole answer, header included; on message framing always `available`. */
  readonly answerBytes: number;
  /** Low `sequenceBits` of the sequence number of the message that is answered. */
  readonly answerSequence: number;

  /**
   * Compares a part of an answer with what it must be. The parts of one answer are passed in order,
   * the first with at least `headerBytes`; parts of different answers may alternate, so that
   * nothing is remembered from one call to the next.
   *
   * @param position where in the answer `bytes[offset]` stands.
   * @param sequence the full sequence number that was stamped into the message.
   */
  matches(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    sequence: number,
  ): boolean;

  /** Counts of what the answers said (DNS response codes), by name; empty for codecs without. */
  answerStatuses(): Record<string, number>;
}
