import { messageOf } from "../errors.ts";
import type { Failure, FailureKind } from "../stats/failure.ts";

/** What the codes of the system (errno) and of the runtime mean for a connection. */
const kindOfCode: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTCONN: "reset",
  ETIMEDOUT: "timeout",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  EAI_NODATA: "dns",
  EAI_NONAME: "dns",
  ENODATA: "dns",
  EHOSTUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EAFNOSUPPORT: "unreachable",
  EACCES: "unreachable",
  EPERM: "unreachable",
  EMFILE: "host-fds",
  ENFILE: "host-fds",
  EADDRNOTAVAIL: "host-ports",
  EADDRINUSE: "host-ports",
  ENOMEM: "host-memory",
  ENOBUFS: "host-memory",
  EPROTO: "tls",
  EMSGSIZE: "protocol",
};

/** The code of a native error (`ECONNRESET`), or `""`. */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** Which kind of failure a native error is; `otherwise` where its code says nothing. */
export function kindOfError(error: unknown, otherwise: FailureKind): FailureKind {
  const code = codeOf(error);
  return kindOfCode[code] ?? (code.startsWith("ERR_SSL_") ? "tls" : otherwise);
}

/**
 * Turns native errors into failures and keeps one shared object for each code, so that a mass
 * failure allocates nothing. One of these belongs to one peer address or one listener.
 */
export class NativeFailures {
  readonly #known = new Map<string, Failure>();
  readonly #where: string;

  /** @param where what the details name besides the code: `connect 127.0.0.1:1`. */
  constructor(where: string) {
    this.#where = where;
  }

  /** The failure for a native error: `ECONNREFUSED connect 127.0.0.1:1`. */
  of(error: unknown, otherwise: FailureKind): Failure {
    const code = codeOf(error);
    const kind = kindOfError(error, otherwise);
    // EPROTO stands for everything that a TLS library can say.
    return code === "" || code === "EPROTO" ? this.ofText(error, kind) : this.named(code, kind);
  }

  /** The failure for an error whose message says more than its code: `CODE: message`. */
  ofText(error: unknown, kind: FailureKind): Failure {
    const code = codeOf(error);
    return this.named(code === "" ? messageOf(error) : `${code}: ${messageOf(error)}`, kind);
  }

  /** The shared failure with this kind and text. */
  named(text: string, kind: FailureKind): Failure {
    const key = `${kind} ${text}`;
    let failure = this.#known.get(key);
    if (failure === undefined) {
      failure = { kind, detail: `${text} ${this.#where}` };
      // Texts of TLS libraries are few; the bound is for peers that could make them vary.
      if (this.#known.size < 1000) this.#known.set(key, failure);
    }
    return failure;
  }
}
