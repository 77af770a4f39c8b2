import { seededRandom } from "../stats/seeded_random.ts";

/**
 * What a file of the kernel could look like if it were cut off, or were something else: the text up
 * to each of its characters, from each on, with characters changed, and random ones.
 */
export function* brokenTexts(whole: string): Generator<string> {
  for (let at = 0; at <= whole.length; at++) {
    yield whole.slice(0, at);
    yield whole.slice(at);
  }
  const random = seededRandom(1);
  const alphabet = `${whole}0123456789-\n\t \0\u00ff:/,`;
  const one = () => alphabet[Math.floor(random() * alphabet.length)]!;
  for (let round = 0; round < 2000; round++) {
    const at = Math.floor(random() * whole.length);
    yield whole.slice(0, at) + one() + whole.slice(at + 1);
    yield Array.from({ length: 60 }, one).join("");
  }
}

/** A count that a parser may give: whole and not below 0, or none. */
export function isCount(value: number | undefined): boolean {
  return value === undefined || value === Infinity || (Number.isInteger(value) && value >= 0);
}
