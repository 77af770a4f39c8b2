import type { MatchPolicy } from "../message/uri.ts";
import { overlap } from "./pattern_overlap.ts";
import { PatternTable } from "./pattern_table.ts";

export const actions = ["call", "register", "publish", "subscribe"] as const;
export type Action = (typeof actions)[number];

/** What a role may do with the URIs that match. */
export interface Permission {
  readonly uri: string;
  readonly match: MatchPolicy;
  readonly allow: Readonly<Partial<Record<Action, boolean>>>;
  /** Whether events and invocations tell who publishes and calls, even if that was not asked for. */
  readonly disclose?: { readonly caller?: boolean; readonly publisher?: boolean };
}

/** A role: what its sessions may do. Of several permissions that match, the most exact one holds. */
export class Role {
  readonly name: string;
  readonly #permissions = new PatternTable<Permission>();
  readonly #all: readonly Permission[];

  constructor(name: string, permissions: readonly Permission[]) {
    this.name = name;
    this.#all = permissions;
    for (const permission of permissions) this.#permissions.add(permission);
  }

  /** A role that may do everything. */
  static unrestricted(name: string): Role {
    return new Role(name, [{
      uri: "",
      match: "prefix",
      allow: { call: true, register: true, publish: true, subscribe: true },
    }]);
  }

  /**
   * Whether it may do that with a URI, or with all that a pattern can match: a permission has to cover
   * the pattern (one with a prefix, or for the same pattern), and none that is more exact may deny it
   * for a part of that.
   */
  may(action: Action, uri: string, match: MatchPolicy = "exact"): boolean {
    const permissions = this.#permissions.matches(uri);
    const holding = match === "exact"
      ? permissions[0]
      : permissions.find((one) =>
        one.match === "prefix" || (one.match === match && one.uri === uri)
      );
    if (holding?.allow[action] !== true) return false;
    return match === "exact" ||
      !this.#all.some((other) =>
        other.allow[action] !== true && isMoreExact(other, holding) &&
        overlap(other, { uri, match })
      );
  }

  discloses(who: "caller" | "publisher", uri: string): boolean {
    return this.#permissions.matches(uri)[0]?.disclose?.[who] === true;
  }
}

/** Whether a permission can hold in the place of another one that matches too, as `PatternTable` ranks. */
function isMoreExact(one: Permission, other: Permission): boolean {
  switch (one.match) {
    case "exact":
      return true;
    case "prefix":
      return other.match === "wildcard" || one.uri.length > other.uri.length;
    case "wildcard":
      return other.match === "wildcard";
  }
}
