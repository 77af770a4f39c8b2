const leastCapacity = 256;

/**
 * The messages that the network has taken and neither sent nor dropped, each under a token: a small
 * integer that is given to another message later.
 *
 * Cost: 32 bytes for each of the most that were outstanding at the same time.
 */
export class OutstandingMessages {
  count = 0;

  private capacity = leastCapacity;
  private indices = new Float64Array(leastCapacity).fill(-1);
  /** By the monotonic and by the real-time clock. */
  private intendedNs = new Float64Array(leastCapacity);
  private intendedWallNs = new Float64Array(leastCapacity);
  /** Tokens that are free; those from `count` on. */
  private tokens = Float64Array.from({ length: leastCapacity }, (_, token) => token);

  /** Gives a message a token. */
  add(index: number, intendedNs: number, intendedWallNs: number): number {
    if (this.count === this.capacity) this.grow();
    const token = this.tokens[this.count++]!;
    this.indices[token] = index;
    this.intendedNs[token] = intendedNs;
    this.intendedWallNs[token] = intendedWallNs;
    return token;
  }

  /** Index of the token's message; −1 where the token is free. */
  indexOf(token: number): number {
    return this.indices[token] ?? -1;
  }

  intendedNsOf(token: number): number {
    return this.intendedNs[token]!;
  }

  intendedWallNsOf(token: number): number {
    return this.intendedWallNs[token]!;
  }

  /** Frees the token of a message. */
  remove(token: number): void {
    this.indices[token] = -1;
    this.tokens[--this.count] = token;
  }

  /** Frees all. */
  clear(): void {
    this.indices.fill(-1);
    for (let token = 0; token < this.capacity; token++) this.tokens[token] = token;
    this.count = 0;
  }

  private grow(): void {
    const from = this.capacity;
    this.capacity *= 2;
    this.indices = grown(this.indices, this.capacity).fill(-1, from);
    this.intendedNs = grown(this.intendedNs, this.capacity);
    this.intendedWallNs = grown(this.intendedWallNs, this.capacity);
    this.tokens = grown(this.tokens, this.capacity);
    for (let token = from; token < this.capacity; token++) this.tokens[token] = token;
  }
}

function grown(array: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(array);
  return larger;
}
