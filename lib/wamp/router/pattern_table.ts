import type { MatchPolicy } from "../message/uri.ts";

/** Something that is found by URI: a subscription, a registration, a permission. */
export interface Matched {
  readonly uri: string;
  readonly match: MatchPolicy;
}

/** How many URIs are remembered with what they match, and their characters, before all are forgotten. */
const maxRemembered = 10_000;
const maxRememberedLength = 2 ** 20;

/**
 * Entries by URI and policy, and which of them a URI matches (specification, sections "Pattern-based
 * Subscriptions" and "Pattern-based Registrations"). A URI that was asked for before costs one look-up.
 */
export class PatternTable<T extends Matched> {
  readonly #exact = new Map<string, T>();
  readonly #prefix = new Map<string, T>();
  readonly #wildcard = new Map<string, { readonly entry: T; readonly parts: readonly string[] }>();
  readonly #remembered = new Map<string, readonly T[]>();
  #rememberedLength = 0;

  get size(): number {
    return this.#exact.size + this.#prefix.size + this.#wildcard.size;
  }

  get(uri: string, match: MatchPolicy): T | undefined {
    switch (match) {
      case "exact":
        return this.#exact.get(uri);
      case "prefix":
        return this.#prefix.get(uri);
      case "wildcard":
        return this.#wildcard.get(uri)?.entry;
    }
  }

  add(entry: T): void {
    const { uri, match } = entry;
    this.#forget();
    if (match === "exact") this.#exact.set(uri, entry);
    else if (match === "prefix") this.#prefix.set(uri, entry);
    else this.#wildcard.set(uri, { entry, parts: uri.split(".") });
  }

  delete({ uri, match }: Matched): void {
    this.#forget();
    if (match === "exact") this.#exact.delete(uri);
    else if (match === "prefix") this.#prefix.delete(uri);
    else this.#wildcard.delete(uri);
  }

  *values(): Iterable<T> {
    yield* this.#exact.values();
    yield* this.#prefix.values();
    for (const { entry } of this.#wildcard.values()) yield entry;
  }

  /**
   * All entries that a URI matches, the best one first: exact; then prefixes, the longest first; then
   * wildcards, those with the longest portions before each wildcard first.
   */
  matches(uri: string): readonly T[] {
    const remembered = this.#remembered.get(uri);
    if (remembered !== undefined) return remembered;
    const found = this.#find(uri);
    const length = this.#rememberedLength + uri.length;
    if (this.#remembered.size >= maxRemembered || length > maxRememberedLength) this.#forget();
    if (uri.length > maxRememberedLength) return found;
    this.#remembered.set(uri, found);
    this.#rememberedLength += uri.length;
    return found;
  }

  #forget(): void {
    this.#remembered.clear();
    this.#rememberedLength = 0;
  }

  #find(uri: string): readonly T[] {
    const exact = this.#exact.get(uri);
    const found = exact === undefined ? [] : [exact];
    if (this.#prefix.size > 0) {
      const prefixes = [...this.#prefix.values()].filter((entry) => uri.startsWith(entry.uri));
      found.push(...prefixes.sort((one, other) => other.uri.length - one.uri.length));
    }
    if (this.#wildcard.size > 0) {
      const parts = uri.split(".");
      const wildcards = [...this.#wildcard.values()].filter(({ parts: pattern }) =>
        pattern.length === parts.length &&
        pattern.every((part, index) => part === "" || part === parts[index])
      );
      wildcards.sort((one, other) => comparePortions(one.parts, other.parts));
      found.push(...wildcards.map(({ entry }) => entry));
    }
    return found;
  }
}

/** Less than 0: `one` has the longer portion before the first wildcard in which they differ. */
function comparePortions(one: readonly string[], other: readonly string[]): number {
  for (let index = 0; index < one.length; index++) {
    const isWild = one[index] === "";
    if (isWild !== (other[index] === "")) return isWild ? 1 : -1;
  }
  return 0;
}
