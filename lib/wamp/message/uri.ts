import { errors } from "./errors.ts";
import { WampError } from "./wamp_error.ts";

/** How the topic of a subscription or the procedure of a registration is compared. */
export const matchPolicies = ["exact", "prefix", "wildcard"] as const;
export type MatchPolicy = (typeof matchPolicies)[number];

/** How strictly URIs are read. Loose: all but whitespace, `#` and empty components. */
export type UriStrictness = "loose" | "strict";

// Specification, sections "URIs" and "Pattern-based Subscriptions".
const whole = {
  loose: /^(?:[^\s.#]+\.)*[^\s.#]+$/,
  strict: /^(?:[0-9a-z_]+\.)*[0-9a-z_]+$/,
};
const withEmptyComponents = {
  loose: /^(?:[^\s.#]*\.)*[^\s.#]*$/,
  strict: /^(?:[0-9a-z_]*\.)*[0-9a-z_]*$/,
};

/** Whether the text is a URI, without empty components. */
export function isUri(text: string, strictness: UriStrictness = "loose"): boolean {
  return whole[strictness].test(text);
}

/**
 * Whether the text can stand in a subscription or a registration under that policy: a prefix may end
 * with a dot and be empty, a wildcard has empty components.
 */
export function isPattern(
  text: string,
  match: MatchPolicy,
  strictness: UriStrictness = "loose",
): boolean {
  if (match === "exact") return isUri(text, strictness);
  return withEmptyComponents[strictness].test(text);
}

/** Whether only a router may publish or register it. */
export function isReserved(uri: string): boolean {
  return uri === "wamp" || uri.startsWith("wamp.");
}

/** The answer to a request whose URI cannot be. */
export function invalidUri(text: string, what: string): WampError {
  return new WampError(
    errors.invalidUri,
    `${JSON.stringify(text.slice(0, 80))} is not the URI of a ${what}`,
  );
}
