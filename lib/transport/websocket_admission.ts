import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import type { Failure } from "../stats/failure.ts";
import { fdCeiling } from "./descriptors.ts";
import type { ListenSettings } from "./transport.ts";

const upgradeRequired =
  "This is a WebSocket endpoint: ask for it with a WebSocket handshake (RFC 6455).\n";
const malformed = "The WebSocket handshake is malformed (RFC 6455 4.2.1).\n";
const noMore = "No more connections are accepted.\n";

/** Answers the HTTP requests of a listener: with an upgrade, or with the reason why not. */
export class UpgradeAdmission {
  readonly #settings: ListenSettings;
  readonly #fdCeiling = fdCeiling();
  readonly #tooMany: Failure;
  readonly #outOfFds: Failure;
  #isStopped = false;

  constructor(settings: ListenSettings) {
    this.#settings = settings;
    this.#tooMany = {
      kind: "refused",
      detail: `max-connections ${settings.maxConnections} are open`,
    };
    this.#outOfFds = {
      kind: "host-fds",
      detail: `fd-limit: descriptors from ${this.#fdCeiling} on are kept in reserve`,
    };
  }

  /** From now on everybody is turned away, and not counted as refused. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * @param openConnections how many there are.
   * @returns undefined after an upgrade: `open` was called meanwhile.
   */
  answer(
    request: Request,
    server: Bun.Server<number>,
    openConnections: number,
  ): Response | undefined {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return refusal(426, upgradeRequired);
    }
    if (this.#isStopped) return refusal(503, noMore);
    if (openConnections >= this.#settings.maxConnections) {
      this.#settings.refused(this.#tooMany);
      return refusal(503, noMore);
    }
    if (this.#fdCeiling < Infinity && lowestFreeFd() >= this.#fdCeiling) {
      this.#settings.refused(this.#outOfFds);
      return refusal(503, noMore);
    }
    return server.upgrade(request, { data: -1 }) ? undefined : refusal(400, malformed);
  }
}

/** RFC 9110 15.5.22 asks for the Upgrade field beside 426. */
function refusal(status: 400 | 426 | 503, text: string): Response {
  const headers: Record<string, string> = { Connection: "close" };
  if (status === 426) headers["Upgrade"] = "websocket";
  return new Response(text, { status, headers });
}

/**
 * The number that the next descriptor would get; at least as many are in use. The engine does not
 * tell the descriptors of its sockets. Costs about 5 µs.
 */
function lowestFreeFd(): number {
  try {
    const fd = openSync(devNull, "r");
    closeSync(fd);
    return fd;
  } catch {
    return Infinity;
  }
}
