import type { Dict } from "../message/message.ts";
import type { Session } from "./session.ts";

const filterNames = [
  "exclude",
  "exclude_authid",
  "exclude_authrole",
  "eligible",
  "eligible_authid",
  "eligible_authrole",
] as const;

type FilterName = (typeof filterNames)[number];

/**
 * Who may get a publication (specification, section "Subscriber Black- and Whitelisting"): whoever is
 * in none of the excluding lists and in all of the others.
 */
export class Receivers {
  readonly #lists: Readonly<Partial<Record<FilterName, ReadonlySet<unknown>>>>;
  /** The options themselves, for other routers. */
  readonly options: Dict;

  private constructor(options: Dict) {
    this.options = options;
    this.#lists = Object.fromEntries(
      Object.entries(options).map(([name, list]) => [name, new Set(list as unknown[])]),
    );
  }

  /**
   * @param options of a message that was checked.
   * @returns undefined: the options of the publication exclude nobody.
   */
  static of(options: Dict): Receivers | undefined {
    let found: Record<string, unknown> | undefined;
    for (const name of filterNames) {
      const list = options[name];
      if (list === undefined || list === null) continue;
      found ??= {};
      found[name] = list;
    }
    return found === undefined ? undefined : new Receivers(found);
  }

  includes({ id, identity: { authid, authrole } }: Session): boolean {
    const lists = this.#lists;
    return lists.exclude?.has(id) !== true &&
      lists.exclude_authid?.has(authid) !== true &&
      lists.exclude_authrole?.has(authrole) !== true &&
      lists.eligible?.has(id) !== false &&
      lists.eligible_authid?.has(authid) !== false &&
      lists.eligible_authrole?.has(authrole) !== false;
  }
}
