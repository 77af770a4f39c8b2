import { errors } from "../message/errors.ts";
import { isDict } from "../message/check.ts";
import type { Dict } from "../message/message.ts";
import { shown } from "../message/shown.ts";
import { WampError } from "../message/wamp_error.ts";
import { isAnswer, isPublicKey, newChallenge } from "../cryptosign/cryptosign.ts";
import type { Identity } from "./session.ts";

/** The role of sessions that are the ends of links from other routers. */
export const routerRole = "router2router";

/** Who may log in with a key. */
export interface Principal {
  readonly authid: string;
  /** 32 bytes in hex. */
  readonly publicKey: string;
  /** The first is taken where the client asks for none. */
  readonly roles: readonly string[];
}

export interface AuthenticationSettings {
  /** The role of those who log in as nobody; undefined: nobody may. */
  readonly anonymousRole: string | undefined;
  readonly principals: readonly Principal[];
}

/** Longest name that an anonymous client gives itself: it is told to others with each event and call. */
const maxAuthidLength = 255;

/** What HELLO leads to. */
export type Admission =
  | { readonly kind: "welcome"; readonly identity: Identity }
  | { readonly kind: "challenge"; readonly challenge: string; readonly login: Login };

/** A login that waits for its AUTHENTICATE. */
export interface Login {
  readonly publicKey: string;
  readonly challenge: string;
  readonly identity: Identity;
}

/** Decides who a client is. */
export class Authentication {
  readonly #anonymousRole: string | undefined;
  readonly #principals: ReadonlyMap<string, Principal>;
  /** Nobody gets one of these without its key. */
  readonly #authids: ReadonlySet<unknown>;

  constructor({ anonymousRole, principals }: AuthenticationSettings) {
    this.#anonymousRole = anonymousRole;
    this.#principals = new Map(
      principals.map((principal) => [principal.publicKey.toLowerCase(), principal]),
    );
    this.#authids = new Set(principals.map(({ authid }) => authid));
  }

  /**
   * Reads HELLO.
   *
   * @param sessionId what an anonymous client is called where it names itself nothing.
   * @throws {WampError} the answer is ABORT.
   */
  begin(details: Dict, sessionId: number): Admission {
    const methods = details["authmethods"];
    const asked = Array.isArray(methods) && methods.length > 0 ? methods : ["anonymous"];
    for (const method of asked) {
      if (method === "cryptosign" && this.#principals.size > 0) return this.#challenge(details);
      if (method === "anonymous" && this.#anonymousRole !== undefined) {
        return this.#anonymous(details, this.#anonymousRole, sessionId);
      }
    }
    throw new WampError(
      errors.noMatchingAuthMethod,
      `none of the methods ${asked.slice(0, 5).map(shown).join(", ")} can be used here`,
    );
  }

  #anonymous(details: Dict, role: string, sessionId: number): Admission {
    requireRole(details, [role]);
    const authid = details["authid"];
    if (typeof authid === "string" && authid.length > maxAuthidLength) {
      throw new WampError(
        errors.authenticationFailed,
        `a name has at most ${maxAuthidLength} characters`,
      );
    }
    if (this.#authids.has(authid)) {
      throw new WampError(
        errors.authenticationRequired,
        `${shown(authid)} is the name of somebody with a key`,
      );
    }
    return {
      kind: "welcome",
      identity: {
        authid: typeof authid === "string" && authid !== "" ? authid : `anonymous-${sessionId}`,
        authrole: role,
        authmethod: "anonymous",
        authprovider: "static",
      },
    };
  }

  #challenge(details: Dict): Admission {
    const { authextra } = details;
    const publicKey = isDict(authextra) ? authextra["pubkey"] : undefined;
    if (!isPublicKey(publicKey)) {
      throw new WampError(
        errors.authenticationFailed,
        "cryptosign needs authextra.pubkey, 32 bytes in hex",
      );
    }
    const principal = this.#principals.get(publicKey.toLowerCase());
    const { authid } = details;
    const isOther = typeof authid === "string" && authid !== principal?.authid;
    if (principal === undefined || isOther) {
      throw new WampError(errors.authenticationFailed, "nobody with this key is known here");
    }
    const authrole = requireRole(details, principal.roles);
    const challenge = newChallenge();
    const identity = {
      authid: principal.authid,
      authrole,
      authmethod: "cryptosign",
      authprovider: "static",
    };
    return { kind: "challenge", challenge, login: { publicKey, challenge, identity } };
  }

  /**
   * Reads AUTHENTICATE.
   *
   * @throws {WampError} the answer is ABORT.
   */
  finish({ publicKey, challenge, identity }: Login, signature: string): Identity {
    if (isAnswer(publicKey, challenge, signature)) return identity;
    throw new WampError(errors.authenticationFailed, "the signature is not that of the challenge");
  }
}

/**
 * The role that a client asks for, of those that it may have.
 *
 * @throws {WampError} it may not.
 */
function requireRole({ authrole }: Dict, roles: readonly string[]): string {
  if (authrole === undefined || authrole === null) return roles[0]!;
  if (typeof authrole === "string" && roles.includes(authrole)) return authrole;
  throw new WampError(
    errors.noSuchRole,
    `the role ${shown(authrole)} is not allowed to this client`,
  );
}
