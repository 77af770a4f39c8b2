import { errors } from "../message/errors.ts";
import { WampError } from "../message/wamp_error.ts";

/** The answer to what a role may not do. */
export function notAuthorized(action: string, uri: string): WampError {
  return new WampError(errors.notAuthorized, `this role may not ${action} ${uri}`);
}
