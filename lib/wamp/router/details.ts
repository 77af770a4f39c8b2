import type { Dict } from "../message/message.ts";
import type { Identity } from "./session.ts";

// What one client gets to know of the options of another one.

/** How arguments are to be read that the router passes on unread (payload passthru mode). */
const payloadNames = [
  ...["ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid"],
  ...["enc_algo", "enc_key", "enc_serializer"],
];
const publisherNames = ["publisher", "publisher_authid", "publisher_authrole"];
const callerNames = ["caller", "caller_authid", "caller_authrole"];
const shownNames = [...payloadNames, ...publisherNames, ...callerNames];

const nothing: Dict = {};

/** Somebody who has an id and an identity: a session. */
export interface Identified {
  readonly id: number;
  readonly identity: Identity;
}

/** How the arguments of a result are to be read. */
export function payloadDetails(options: Dict): Dict {
  return picked(options, payloadNames);
}

/** Details of an event. */
export function publisherDetails(options: Dict, publisher: Identified | undefined): Dict {
  const details = picked(options, payloadNames);
  if (publisher === undefined) return details;
  const { id, identity: { authid, authrole } } = publisher;
  return { ...details, publisher: id, publisher_authid: authid, publisher_authrole: authrole };
}

/** Details of an invocation. */
export function callerDetails(options: Dict, caller: Identified | undefined): Dict {
  const details = picked(options, payloadNames);
  if (caller === undefined) return details;
  const { id, identity: { authid, authrole } } = caller;
  return { ...details, caller: id, caller_authid: authid, caller_authrole: authrole };
}

/** Of details that came over a link, those for clients. */
export function shownDetails(details: Dict): Dict {
  return picked(details, shownNames);
}

/** Who a message is forwarded for (`forward_for`, as Crossbar's links have it). */
export function forwardedFor({ id, identity: { authid, authrole } }: Identified): Dict {
  return { session: id, authid, authrole };
}

/** Details of a callee's error. */
export function errorDetails(details: Dict): Dict {
  return picked(details, Object.keys(details));
}

/** Of a client's options what every serializer can say; the options that are known are of such kinds. */
function picked(options: Dict, names: readonly string[]): Dict {
  let found: Record<string, unknown> | undefined;
  for (const name of names) {
    if (isPlain(options[name])) (found ??= {})[name] = options[name];
  }
  return found ?? nothing;
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
