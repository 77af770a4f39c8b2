/**
 * Whether two words are one slip of the finger apart: a character more, less or different, or two
 * neighbours swapped.
 */
export function isOneSlipApart(first: string, second: string): boolean {
  if (first === second) return false;
  let start = 0;
  while (start < first.length && first[start] === second[start]) start++;
  const restOfFirst = first.slice(start);
  const restOfSecond = second.slice(start);
  return restOfFirst.slice(1) === restOfSecond || restOfFirst === restOfSecond.slice(1) ||
    restOfFirst.slice(1) === restOfSecond.slice(1) ||
    (restOfFirst.slice(2) === restOfSecond.slice(2) &&
      restOfFirst[0] === restOfSecond[1] && restOfFirst[1] === restOfSecond[0]);
}
