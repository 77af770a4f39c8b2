import type { MatchPolicy } from "../message/uri.ts";

/** A URI, or what stands for several. */
interface Pattern {
  readonly uri: string;
  readonly match: MatchPolicy;
}

/** Whether there can be a URI that both match. */
export function overlap(one: Pattern, other: Pattern): boolean {
  if (one.match !== "prefix") {
    return other.match === "prefix" ? begins(other.uri, one.uri) : meet(one.uri, other.uri);
  }
  if (other.match !== "prefix") return begins(one.uri, other.uri);
  return one.uri.startsWith(other.uri) || other.uri.startsWith(one.uri);
}

/** Whether a URI that a wildcard matches, or that is one itself, can begin with a prefix. */
function begins(prefix: string, wildcard: string): boolean {
  const [begun, whole] = [prefix.split("."), wildcard.split(".")];
  const last = begun.length - 1;
  return begun.length <= whole.length && begun.every((part, index) => {
    const wanted = whole[index]!;
    return wanted === "" || (index < last ? wanted === part : wanted.startsWith(part));
  });
}

/** Whether a URI can match two wildcards; one without empty components stands for itself. */
function meet(one: string, other: string): boolean {
  const [parts, others] = [one.split("."), other.split(".")];
  return parts.length === others.length && parts.every((part, index) => {
    const wanted = others[index]!;
    return part === "" || wanted === "" || part === wanted;
  });
}
