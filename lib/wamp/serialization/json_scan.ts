const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Where an element of a list begins, in a text that is known to be a list in JSON with more elements
 * than that.
 */
export function jsonElementAt(text: string, index: number): number {
  let at = text.indexOf("[") + 1;
  let depth = 0;
  for (let left = index; left > 0; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at);
        break;
      case openBracket:
      case openBrace:
        depth++;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        break;
      case comma:
        if (depth === 0) left--;
    }
  }
  return at;
}

/** The closing quote of the string that begins at `at`. */
function endOfString(text: string, at: number): number {
  for (let next = at + 1;; next++) {
    next = text.indexOf('"', next);
    let escapes = 0;
    while (text.charCodeAt(next - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return next;
  }
}
