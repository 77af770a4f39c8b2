import { closeReasons, errors } from "../message/errors.ts";
import type { Dict } from "../message/message.ts";
import { isUri, matchPolicies } from "../message/uri.ts";
import { shown } from "../message/shown.ts";
import { WampError } from "../message/wamp_error.ts";
import type { Broker } from "./broker.ts";
import type { Dealer, MetaProcedure } from "./dealer.ts";
import { matchPolicyOf } from "./match_policy.ts";
import { registrationDetails, sessionDetails, subscriptionDetails } from "./meta_events.ts";
import type { Matched, PatternTable } from "./pattern_table.ts";
import type { Registration } from "./registration.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";

/** Procedures of the router about itself (specification, the sections on meta APIs). */
export function metaProcedures(
  sessions: ReadonlyMap<number, Session>,
  broker: Broker,
  dealer: Dealer,
): ReadonlyMap<string, MetaProcedure> {
  return new Map<string, MetaProcedure>([
    ...sessionProcedures(sessions),
    ...subscriptionProcedures(broker),
    ...registrationProcedures(dealer),
  ]);
}

function sessionProcedures(
  sessions: ReadonlyMap<number, Session>,
): readonly (readonly [string, MetaProcedure])[] {
  const clients = () => [...sessions.values()].filter(({ isLink }) => !isLink);
  const filtered = (roles: unknown) =>
    Array.isArray(roles)
      ? clients().filter(({ identity }) => roles.includes(identity.authrole))
      : clients();
  const kill = (killed: readonly Session[], kwargs: Dict) => {
    const reason = kwargs["reason"] ?? closeReasons.killed;
    if (typeof reason !== "string" || !isUri(reason)) {
      throw new WampError(errors.invalidUri, "the reason is not a URI");
    }
    const message = kwargs["message"];
    for (const session of killed) {
      session.close(reason, typeof message === "string" ? message : undefined);
    }
    return killed;
  };
  return [
    ["wamp.session.count", ([roles]) => [filtered(roles).length]],
    ["wamp.session.list", ([roles]) => [filtered(roles).map(({ id }) => id)]],
    ["wamp.session.get", ([id]) => [sessionDetails(sessionOf(sessions, id))]],
    ["wamp.session.kill", ([id], kwargs, caller) => {
      if (id === caller.id) throw noSuchSession(id);
      kill([sessionOf(sessions, id)], kwargs);
      return [];
    }],
    ["wamp.session.kill_by_authid", ([authid], kwargs, caller) => {
      const killed = clients().filter(({ id, identity }) =>
        identity.authid === authid && id !== caller.id
      );
      return [kill(killed, kwargs).map(({ id }) => id)];
    }],
    ["wamp.session.kill_by_authrole", ([authrole], kwargs, caller) => {
      const killed = clients().filter(({ id, identity }) =>
        identity.authrole === authrole && id !== caller.id
      );
      return [kill(killed, kwargs).length];
    }],
    ["wamp.session.kill_all", (_args, kwargs, caller) => {
      return [kill(clients().filter(({ id }) => id !== caller.id), kwargs).length];
    }],
  ];
}

function subscriptionProcedures(
  broker: Broker,
): readonly (readonly [string, MetaProcedure])[] {
  const table = broker.subscriptions;
  const isShown = ({ clients }: Subscription) => clients.size > 0;
  const subscribers = (
    id: unknown,
  ) => [...existing(broker.subscriptionOf(id as number), isShown, "subscription", id).clients];
  return [
    ["wamp.subscription.list", () => [listed(table, isShown)]],
    ["wamp.subscription.lookup", ([uri, options]) => [lookedUp(table, uri, options, isShown)]],
    ["wamp.subscription.match", ([uri]) => {
      const ids = table.matches(text(uri)).filter(isShown).map(({ id }) => id);
      return [ids.length > 0 ? ids : null];
    }],
    [
      "wamp.subscription.get",
      ([id]) => [
        subscriptionDetails(
          existing(broker.subscriptionOf(id as number), isShown, "subscription", id),
        ),
      ],
    ],
    ["wamp.subscription.list_subscribers", ([id]) => [subscribers(id).map(({ id }) => id)]],
    ["wamp.subscription.count_subscribers", ([id]) => [subscribers(id).length]],
  ];
}

function registrationProcedures(
  dealer: Dealer,
): readonly (readonly [string, MetaProcedure])[] {
  const table = dealer.registrations;
  const isShown = ({ callees }: Registration) => callees.length > 0;
  const callees = (id: unknown) =>
    existing(dealer.registrationOf(id as number), isShown, "registration", id).callees;
  return [
    ["wamp.registration.list", () => [listed(table, isShown)]],
    ["wamp.registration.lookup", ([uri, options]) => [lookedUp(table, uri, options, isShown)]],
    ["wamp.registration.match", ([uri]) => [
      table.matches(text(uri)).find(isShown)?.id ?? null,
    ]],
    ["wamp.registration.get", ([id]) => [
      registrationDetails(
        existing(dealer.registrationOf(id as number), isShown, "registration", id),
      ),
    ]],
    ["wamp.registration.list_callees", ([id]) => [callees(id).map(({ id }) => id)]],
    ["wamp.registration.count_callees", ([id]) => [callees(id).length]],
  ];
}

function sessionOf(sessions: ReadonlyMap<number, Session>, id: unknown): Session {
  const session = sessions.get(id as number);
  if (session === undefined || session.isLink) throw noSuchSession(id);
  return session;
}

function noSuchSession(id: unknown): WampError {
  return new WampError(errors.noSuchSession, `there is no session ${shown(id)}`);
}

function existing<T>(
  found: T | undefined,
  isShown: (entry: T) => boolean,
  what: "subscription" | "registration",
  id: unknown,
): T {
  if (found !== undefined && isShown(found)) return found;
  const uri = what === "subscription" ? errors.noSuchSubscription : errors.noSuchRegistration;
  throw new WampError(uri, `there is no ${what} ${shown(id)}`);
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new WampError(errors.invalidArgument, "the first argument has to be a URI");
}

/** Ids by policy. */
function listed<T extends Matched & { readonly id: number }>(
  table: PatternTable<T>,
  isShown: (entry: T) => boolean,
): Dict {
  const shown = [...table.values()].filter(isShown);
  return Object.fromEntries(
    matchPolicies.map((policy) => [
      policy,
      shown.filter(({ match }) => match === policy).map(({ id }) => id),
    ]),
  );
}

function lookedUp<T extends Matched & { readonly id: number }>(
  table: PatternTable<T>,
  uri: unknown,
  options: unknown,
  isShown: (entry: T) => boolean,
): number | null {
  const entry = table.get(text(uri), matchPolicyOf((options ?? {}) as Dict));
  return entry !== undefined && isShown(entry) ? entry.id : null;
}
