import type { RealmSettings } from "../../../lib/wamp/router/realm.ts";
import { Role } from "../../../lib/wamp/router/role.ts";
import { Router, type RouterSettings } from "../../../lib/wamp/router/router.ts";
import { parseListenUrl } from "../../../lib/wamp/transport/listen_url.ts";

export interface LocalRouter {
  readonly router: Router;
  readonly ws: string;
  readonly rs: string;
  /** The same over TLS; empty without a certificate in the settings. */
  readonly wss: string;
  readonly rss: string;
  /** Exceptions that should not have happened, and what else was noted. */
  readonly notes: readonly string[];
}

export const openRealm: RealmSettings = {
  name: "realm1",
  roles: [Role.unrestricted("anonymous")],
  uris: "loose",
  anonymousRole: "anonymous",
  principals: [],
};

/** Runs `use` with a router in this process that listens on loopback, over WebSocket and rawsocket. */
export async function withRouter(
  use: (local: LocalRouter) => Promise<void>,
  realm: Partial<RealmSettings> = {},
  settings: Partial<RouterSettings> = {},
): Promise<void> {
  const notes: string[] = [];
  const router = new Router({
    node: "node1",
    realms: [{ ...openRealm, ...realm }],
    pingIntervalMs: 0,
    maxMessageBytes: 2 ** 24,
    maxPendingBytes: 2 ** 24,
    note: (line) => notes.push(line),
    ...settings,
  });
  try {
    const ws = router.listen(parseListenUrl("ws://127.0.0.1:0/ws")).url;
    const rs = router.listen(parseListenUrl("rs://127.0.0.1:0")).url;
    const hasTls = settings.certificate !== undefined;
    const wss = hasTls ? router.listen(parseListenUrl("wss://127.0.0.1:0/ws")).url : "";
    const rss = hasTls ? router.listen(parseListenUrl("rss://127.0.0.1:0")).url : "";
    await use({ router, ws, rs, wss, rss, notes });
  } finally {
    await router.stop();
  }
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean, limitMs = 15_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`it did not happen in ${limitMs} ms: ${holds}`);
    await Bun.sleep(2);
  }
}
