import { errors } from "../message/errors.ts";
import type { Dict } from "../message/message.ts";
import { shown } from "../message/shown.ts";
import { WampError } from "../message/wamp_error.ts";
import { invocationPolicies, type InvocationPolicy, type Registration } from "./registration.ts";
import type { Session } from "./session.ts";

/**
 * The policy that REGISTER asks for; single where it asks for none.
 *
 * @throws {WampError} there is no such policy.
 */
export function invocationPolicyOf(options: Dict): InvocationPolicy {
  const asked = options["invoke"] ?? "single";
  const invoke = invocationPolicies.find((policy) => policy === asked);
  if (invoke === undefined) {
    throw new WampError(
      errors.optionNotAllowed,
      `invoke has to be ${invocationPolicies.join(", ")}; it is ${shown(asked)}`,
    );
  }
  return invoke;
}

/** @throws {WampError} the session cannot join the others of a registration. */
export function requireShared(
  known: Registration,
  invoke: InvocationPolicy,
  session: Session,
): void {
  const { uri } = known;
  if (known.invoke === "single" || invoke === "single") {
    throw new WampError(errors.procedureAlreadyExists, `${uri} is registered already`);
  }
  if (known.invoke !== invoke) {
    throw new WampError(
      errors.procedureExistsWithDifferentPolicy,
      `${uri} is registered with the policy ${known.invoke}`,
    );
  }
  if (known.has(session)) {
    throw new WampError(errors.procedureAlreadyExists, `${uri} is registered by this session`);
  }
}
