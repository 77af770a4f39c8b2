/**
 * A seeded generator of random numbers: the same seed and stream give the same numbers on every
 * machine (`exponential` but for the last bit of `Math.log`), so that a plan can be repeated.
 *
 * sfc32 of PractRand (Chris Doty-Humphrey): 128 bits of state, period at least 2^32 and 2^127 on
 * average. The state is filled by splitmix32, so that near seeds give unrelated numbers. Nothing is
 * allocated after the constructor.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /**
   * @param seed a safe integer.
   * @param stream a 32-bit integer: streams of one seed are independent of each other. Drawing more
   * from one leaves the others as they are.
   */
  constructor(seed: number, stream = 0) {
    const high = Math.floor(seed / 2 ** 32) | 0;
    let state = seed | 0;
    const split = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.a = split();
    state ^= high;
    this.b = split();
    state ^= stream;
    this.c = split();
    // The state differs by few bits where seeds do: turn it until that cannot be seen any more.
    for (let i = 0; i < 16; i++) this.bits();
  }

  /** 32 random bits, as a signed integer. */
  bits(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }

  /** A number in [0, 1), one of 2^32. */
  uniform(): number {
    return (this.bits() >>> 0) * 2 ** -32;
  }

  /**
   * An integer in [0, n), each equally likely: Lemire, "Fast Random Integer Generation in an
   * Interval", 2019.
   *
   * @param n 1 to 2^21, where the product below is exact; up to 2^31 with a bias below 2^-20.
   */
  below(n: number): number {
    let x = this.bits() >>> 0;
    let low = Math.imul(x, n) >>> 0;
    if (low < n) {
      const threshold = (2 ** 32 - n) % n;
      while (low < threshold) {
        x = this.bits() >>> 0;
        low = Math.imul(x, n) >>> 0;
      }
    }
    return Math.floor(x * (n * 2 ** -32));
  }

  /** An exponentially distributed number of mean 1, at most 36.8: -ln(1 - u), u of 53 bits. */
  exponential(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return -Math.log(1 - (high * 2 ** 26 + low) * 2 ** -53);
  }
}
