/**
 * Connections that messages can be sent on, in a dense list to choose from.
 *
 * A connection costs 8 bytes.
 */
export class OpenList {
  count = 0;
  /** In no particular order after the first removal, and where each one stands in the list. */
  private readonly ids: Int32Array;
  private readonly placeOf: Int32Array;

  constructor(private readonly connections: number) {
    this.ids = new Int32Array(connections);
    this.placeOf = new Int32Array(connections);
  }

  /** The connection at a place, `0 ≤ place < count`. */
  at(place: number): number {
    return this.ids[place]!;
  }

  add(id: number): void {
    this.placeOf[id] = this.count;
    this.ids[this.count++] = id;
  }

  remove(id: number): void {
    const place = this.placeOf[id]!;
    const moved = this.ids[--this.count]!;
    this.ids[place] = moved;
    this.placeOf[moved] = place;
  }

  /** Puts the list into the order of ids. */
  sort(): void {
    // A complete list needs no comparison: sorting a million takes longer than a pause may.
    if (this.count === this.connections) {
      for (let id = 0; id < this.count; id++) {
        this.ids[id] = id;
      }
    } else this.ids.subarray(0, this.count).sort();
    for (let place = 0; place < this.count; place++) this.placeOf[this.ids[place]!] = place;
  }
}
