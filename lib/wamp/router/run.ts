import { hostname } from "node:os";
import { type ExitCode, exitCodes } from "../../errors.ts";
import type { CommandLine } from "../../options/command_line.ts";
import { checkForSchemes } from "../../options/resolve.ts";
import { serveStats } from "../../report/http.ts";
import type { Io } from "../../report/io.ts";
import { serverCertificate } from "../../transport/server_certificate.ts";
import type { UriStrictness } from "../message/uri.ts";
import { parseListenUrl } from "../transport/listen_url.ts";
import { isSecure, schemeOf } from "../transport/wamp_url.ts";
import { defaultLinkKeyFile, defaultListen, type RouterOptions, routerRows } from "./options.ts";
import { routerRole } from "./authentication.ts";
import type { SigningKey } from "../cryptosign/cryptosign.ts";
import { type NodeConfig, readConfig } from "./config.ts";
import { linkKey } from "./link_key.ts";
import { Role } from "./role.ts";
import { Router } from "./router.ts";
import { RouterLine } from "./router_line.ts";
import { routerMetrics, routerStats } from "./router_stats.ts";
import { statusPage } from "./status_page.ts";

/** The longest time that a timer can wait for. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * `holdfast wamp router`: routes until the signal is aborted or the duration is over.
 *
 * @returns 0; being interrupted is how a router ends.
 * @throws {HoldfastError} it could not begin; nothing stays bound.
 */
export async function run(
  commandLine: CommandLine<RouterOptions>,
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { settings, given } = commandLine;
  const config = settings.configFile === undefined
    ? ownConfig(settings)
    : readConfig(settings.configFile, settings.node, strictnessOf(settings));
  checkForSchemes(routerRows, commandLine, config.listen.map(schemeOf));
  const secure = config.listen.filter(isSecure);
  const certificate = secure.length === 0
    ? undefined
    : await serverCertificate(settings, secure.map(({ endpoint }) => endpoint.host));
  const key = keyOf(config);
  const trusted = key === undefined ? config.trustedKeys : [key.publicKey, ...config.trustedKeys];
  const routers = trusted.map((publicKey) => ({
    authid: `router-${publicKey.slice(0, 8)}`,
    publicKey,
    roles: [routerRole],
  }));
  const router = new Router({
    node: config.node,
    realms: config.realms.map((realm) => ({
      ...realm,
      principals: [...realm.principals, ...routers],
    })),
    certificate,
    pingIntervalMs: settings.pingIntervalMs,
    maxMessageBytes: settings.maxMessageBytes,
    maxPendingBytes: settings.maxPendingBytes,
    note: (line) => io.note(line),
  });
  try {
    for (const url of config.listen) io.out(`listening on ${router.listen(url).url}`);
    if (key !== undefined) router.linkTo(config.links, key);
    await serveUntilStopped(router, settings, given.has("statsAddress"), io, signal);
  } finally {
    await router.stop();
  }
  const { counters } = router;
  io.out(
    `served ${counters.sessionsOpened} sessions, ` +
      `${counters.eventsLocal + counters.eventsForwarded} events ` +
      `(${counters.eventsForwarded} forwarded), ${counters.calls} calls`,
  );
  return exitCodes.ok;
}

/** What the command line says without a file: everybody may do everything. */
function ownConfig(settings: RouterOptions): NodeConfig {
  const { realms, listen, links, linkKeyFile, trustedKeys } = settings;
  return {
    node: settings.node ?? `${hostname().replaceAll(/[^\w.-]/g, "-").slice(0, 50)}-${process.pid}`,
    listen: listen.length > 0 ? listen : defaultListen.map(parseListenUrl),
    links,
    realms: (realms.length > 0 ? realms : ["realm1"]).map((name) => ({
      name,
      roles: [Role.unrestricted("anonymous")],
      uris: strictnessOf(settings),
      anonymousRole: "anonymous",
      principals: [],
    })),
    linkKeyFile,
    trustedKeys,
  };
}

function strictnessOf({ isStrict }: RouterOptions): UriStrictness {
  return isStrict ? "strict" : "loose";
}

/** The key of links; made where it is missing, so that routers on one host need none by hand. */
function keyOf({ links, linkKeyFile }: NodeConfig): SigningKey | undefined {
  if (linkKeyFile !== undefined) return linkKey(linkKeyFile);
  return links.length > 0 ? linkKey(defaultLinkKeyFile) : undefined;
}

async function serveUntilStopped(
  router: Router,
  settings: RouterOptions,
  isExact: boolean,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const { statsAddress } = settings;
  const stats = statsAddress === "off" ? undefined : serveStats({
    hostname: statsAddress.host,
    port: statsAddress.port,
    isExact,
    view: {
      stats: () => routerStats(router),
      metrics: () => routerMetrics(router),
      get page() {
        return statusPage(router, "this page");
      },
      events: () => () => routerStats(router),
    },
  });
  if (stats !== undefined) io.out(`statistics on ${stats.url}`);
  const line = new RouterLine(router);
  const everyMs = Math.min(settings.reportEveryMs, longestTimerMs);
  const reports = settings.quiet ? undefined : setInterval(() => io.out(line.next()), everyMs);
  try {
    await stopped(signal, settings.durationMs);
  } finally {
    clearInterval(reports);
    await stats?.stop();
  }
}

/** Resolves when the signal is aborted, or after `durationMs` where that is given. */
async function stopped(signal: AbortSignal, durationMs?: number): Promise<void> {
  const limit = durationMs === undefined
    ? signal
    : AbortSignal.any([signal, AbortSignal.timeout(durationMs)]);
  if (limit.aborted) return;
  await new Promise<void>((resolve) => {
    limit.addEventListener("abort", () => resolve(), { once: true });
  });
}
