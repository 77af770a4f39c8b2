import { codes, messageName } from "./codes.ts";
import { isId } from "./id.ts";
import type { Dict } from "./message.ts";
import { ProtocolViolation } from "./protocol_violation.ts";
import { shown } from "./shown.ts";
import { matchPolicies } from "./uri.ts";

/** What an option has to be: whether a value is, and how that is called. */
interface Kind {
  readonly name: string;
  is(value: unknown): boolean;
}

const isText = (value: unknown) => typeof value === "string";
const isRecord = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const flag: Kind = { name: "true or false", is: (value) => typeof value === "boolean" };
const text: Kind = { name: "a string", is: isText };
const id: Kind = { name: "an id", is: isId };
const ids: Kind = { name: "a list of ids", is: (value) => isListOf(isId, value) };
const texts: Kind = { name: "a list of strings", is: (value) => isListOf(isText, value) };
const routers: Kind = { name: "a list of dictionaries", is: (value) => isListOf(isRecord, value) };
const match = oneOf(matchPolicies);
const encryption: Kind = {
  name: "cryptobox, mqtt, xbr or x_…",
  is: (value) => typeof value === "string" && /^(?:cryptobox|mqtt|xbr|x_.+)$/.test(value),
};

const passthru = { enc_algo: encryption, enc_key: text, enc_serializer: text };
const receivers = {
  exclude: ids,
  exclude_authid: texts,
  exclude_authrole: texts,
  eligible: ids,
  eligible_authid: texts,
  eligible_authrole: texts,
};

/** By message; what is not listed may be anything. */
const kindsOf: Readonly<Record<number, ReadonlyMap<string, Kind>>> = {
  [codes.publish]: kinds({
    acknowledge: flag,
    exclude_me: flag,
    disclose_me: flag,
    retain: flag,
    transaction_hash: text,
    forward_for: routers,
    ...receivers,
    ...passthru,
  }),
  [codes.subscribe]: kinds({ match, get_retained: flag, forward_for: routers }),
  [codes.event]: kinds({
    publisher: id,
    publisher_authid: text,
    publisher_authrole: text,
    topic: text,
    retained: flag,
    transaction_hash: text,
    x_acknowledged_delivery: flag,
    forward_for: routers,
    ...receivers,
    ...passthru,
  }),
};

/**
 * Checks the options that are known of a message, in the element before its URI or arguments. Null is
 * the same as nothing: some clients send what was not given that way.
 *
 * @throws {ProtocolViolation} one of them is of another kind.
 */
export function checkOptions(code: number, options: Dict): void {
  const known = kindsOf[code];
  if (known === undefined) return;
  for (const name in options) {
    const value = options[name];
    const kind = known.get(name);
    if (kind === undefined || value === null || value === undefined || kind.is(value)) continue;
    throw new ProtocolViolation(
      `${name} of ${messageName(code)} is ${shown(value)}, expected ${kind.name}`,
    );
  }
}

function kinds(members: Readonly<Record<string, Kind>>): ReadonlyMap<string, Kind> {
  return new Map(Object.entries(members));
}

function oneOf(values: readonly string[]): Kind {
  return { name: values.join(" or "), is: (value) => values.some((one) => one === value) };
}

function isListOf(is: (value: unknown) => boolean, value: unknown): boolean {
  return Array.isArray(value) && value.every(is);
}
