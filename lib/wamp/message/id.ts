/** The largest id: ids are drawn from 1 to 2^53 (specification, section "IDs"). */
export const maxId = 2 ** 53;

const word = new Uint32Array(2);

/** An id of global scope (sessions, publications): random, so that routers need not agree. */
export function randomId(): number {
  crypto.getRandomValues(word);
  // 53 bits, and 1 for the 0 that is no id.
  return (word[0]! >>> 11) * 2 ** 32 + word[1]! + 1;
}

let publicationHigh = 0;
let publicationLow = 0;

/**
 * An id of global scope for a publication: random in its upper bits, counted in the lower ones, at a
 * thousandth of the cost of `randomId`.
 */
export function publicationId(): number {
  if (publicationLow === 0) {
    crypto.getRandomValues(word);
    publicationHigh = (word[0]! >>> 8) * 2 ** 29;
    publicationLow = 1;
  }
  const id = publicationHigh + publicationLow;
  publicationLow = (publicationLow + 1) % 2 ** 29;
  return id;
}

/** Whether a value is an id: an integer from 1 to 2^53. */
export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maxId;
}
