/**
 * The bytes of `/holdfast/clock/1.0.0`, of which one stream serves any number of exchanges.
 *
 *     request  u32 number
 *     answer   u32 number of the request, u64 arrival of the request, u64 departure of the answer
 *
 * All numbers most significant byte first, times in nanoseconds since the epoch.
 */

export const clockProtocol = "/holdfast/clock/1.0.0";

export const requestBytes = 4;
export const answerBytes = 20;

export function encodeRequest(number: number): Uint8Array {
  const bytes = new Uint8Array(requestBytes);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export function encodeAnswer(number: number, arrivalNs: bigint, departureNs: bigint): Uint8Array {
  const bytes = new Uint8Array(answerBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  view.setBigUint64(4, arrivalNs);
  view.setBigUint64(12, departureNs);
  return bytes;
}

/** Cuts frames of a fixed size out of a stream, whatever pieces it arrives in. */
export class FrameCutter {
  readonly #frame: Uint8Array;
  readonly #view: DataView;
  readonly #receive: (frame: DataView) => void;
  #filled = 0;

  /** @param receive is given every frame; it is valid during the call only. */
  constructor(frameBytes: number, receive: (frame: DataView) => void) {
    this.#frame = new Uint8Array(frameBytes);
    this.#view = new DataView(this.#frame.buffer);
    this.#receive = receive;
  }

  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + this.#frame.length - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#frame.length) return;
      this.#filled = 0;
      this.#receive(this.#view);
    }
  }
}
