import { errors } from "../message/errors.ts";
import type { Dict } from "../message/message.ts";
import { matchPolicies, type MatchPolicy } from "../message/uri.ts";
import { shown } from "../message/shown.ts";
import { WampError } from "../message/wamp_error.ts";

/**
 * The policy that SUBSCRIBE, REGISTER or a meta procedure asks for; exact where it asks for none.
 *
 * @throws {WampError} there is no such policy.
 */
export function matchPolicyOf(options: Dict): MatchPolicy {
  const asked = options["match"] ?? "exact";
  const match = matchPolicies.find((policy) => policy === asked);
  if (match === undefined) {
    throw new WampError(
      errors.optionNotAllowed,
      `match has to be ${matchPolicies.join(", ")}; it is ${shown(asked)}`,
    );
  }
  return match;
}
