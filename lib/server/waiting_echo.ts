/** What a piece costs besides its bytes: the copy's object and buffer, and its place in the list. */
const pieceCostBytes = 160;

interface Piece {
  readonly bytes: Uint8Array;
  /** How much of it was sent. */
  offset: number;
  readonly isText: boolean;
}

/**
 * Echo that a connection did not take, in the order in which it came. Pieces stay apart, because on
 * message transports each of them is a message.
 */
export class WaitingEcho {
  /** Memory that the pieces hold. */
  costBytes = 0;
  #pieces: Piece[] = [];
  #first = 0;

  constructor(bytes: Uint8Array, accepted: number, isText: boolean) {
    this.add(accepted === 0 ? bytes : bytes.subarray(accepted), isText);
  }

  /** Copies a piece to the end. */
  add(bytes: Uint8Array, isText: boolean): void {
    this.#pieces.push({ bytes: new Uint8Array(bytes), offset: 0, isText });
    this.costBytes += bytes.length + pieceCostBytes;
  }

  get first(): Piece {
    return this.#pieces[this.#first]!;
  }

  get isEmpty(): boolean {
    return this.#first === this.#pieces.length;
  }

  /** Notes that `accepted` bytes of the first piece were sent; true when it is done. */
  advance(accepted: number): boolean {
    const piece = this.first;
    piece.offset += accepted;
    if (piece.offset < piece.bytes.length) return false;
    this.costBytes -= piece.bytes.length + pieceCostBytes;
    this.#first++;
    if (this.#first === 1024) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
    return true;
  }
}
