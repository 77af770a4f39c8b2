import { Exposition } from "../../report/exposition.ts";
import { readProcessUsage } from "../../stats/process_usage.ts";
import type { Router } from "./router.ts";

/** The state of now, for `/stats`. */
export function routerStats(router: Router) {
  const realms = [...router.realms.values()].map((realm) => {
    const sessions = [...realm.sessions.values()];
    return {
      name: realm.name,
      sessions: sessions.filter(({ isLink }) => !isLink).length,
      subscriptions: realm.broker.subscriptions.size,
      registrations: realm.dealer.registrations.size,
      links: sessions.filter(({ isLink }) => isLink).map(({ node, connection }) => ({
        node,
        peer: connection.peer,
      })),
    };
  });
  return {
    role: "wamp-router",
    node: router.node,
    pid: router.pid,
    uptimeSeconds: (performance.now() - router.startedMs) / 1000,
    listeners: router.listeners.map(({ url, slowClosed }) => ({ url, slowClosed })),
    realms,
    links: router.links.map(({ url, node, state, reason, events, joined }) => ({
      url,
      node,
      state,
      ...(reason === "" ? {} : { reason }),
      events,
      joined,
    })),
    ...router.counters,
    process: readProcessUsage(),
  };
}

/** The same as Prometheus takes it. */
export function routerMetrics(router: Router): string {
  const { counters } = router;
  const node = { node: router.node };
  const exposition = new Exposition("holdfast_wamp_");
  const { realms, listeners, process } = routerStats(router);
  const gauge = (name: string, help: string, of: (realm: typeof realms[number]) => number) =>
    exposition.gauge(
      name,
      help,
      realms.map((realm) => [{ ...node, realm: realm.name }, of(realm)] as const),
    );
  gauge("sessions", "Sessions of clients", ({ sessions }) => sessions);
  gauge(
    "subscriptions",
    "Topics and patterns with a subscriber",
    ({ subscriptions }) => subscriptions,
  );
  gauge(
    "registrations",
    "Procedures and patterns with a callee",
    ({ registrations }) => registrations,
  );
  gauge("links_accepted", "Routers that have a link to this one", ({ links }) => links.length);
  exposition.gauge("links_up", "Links of this router to others that are up", [
    [node, router.links.filter(({ isUp }) => isUp).length],
  ]);
  exposition.total("events", "Events sent to clients, by where they were published", [
    [{ ...node, from: "local" }, counters.eventsLocal],
    [{ ...node, from: "link" }, counters.eventsForwarded],
  ]);
  exposition.total("publications", "Publications, by where they came from", [
    [{ ...node, from: "local" }, counters.publications],
    [{ ...node, from: "link" }, counters.publicationsForwarded],
  ]);
  exposition.total("calls", "Calls, by where they came from", [
    [{ ...node, from: "local" }, counters.calls],
    [{ ...node, from: "link" }, counters.callsForwarded],
  ]);
  exposition.total("link_events", "Publications sent to other routers", [
    [node, counters.eventsToLinks],
  ]);
  exposition.total("link_invocations", "Invocations sent to other routers", [
    [node, counters.invocationsToLinks],
  ]);
  exposition.total("call_errors", "Calls that ended with an error", [[node, counters.callErrors]]);
  exposition.total("sessions_opened", "Sessions that have joined", [
    [node, counters.sessionsOpened],
  ]);
  exposition.total("sessions_aborted", "Sessions that were refused or ended with ABORT", [
    [node, counters.sessionsAborted],
  ]);
  exposition.total("slow_closed", "Connections closed because they did not read", [
    [node, listeners.reduce((sum, { slowClosed }) => sum + slowClosed, 0)],
  ]);
  exposition.total("too_long", "Messages longer than what their client takes, not sent", [
    [node, counters.tooLong],
  ]);
  exposition.total("unreadable", "Forwarded messages that clients here cannot be told, not sent", [
    [node, counters.unreadable],
  ]);
  exposition.total("standstills", "Times that the process stood still", [
    [node, counters.standstills],
  ]);
  exposition.total("failures", "Sessions ended by a failure of the router", [
    [node, counters.failures],
  ]);
  exposition.total("cpu_seconds", "CPU time of the process", [
    [{ ...node, mode: "user" }, process.cpuUserSeconds],
    [{ ...node, mode: "system" }, process.cpuSystemSeconds],
  ]);
  exposition.gauge("rss_bytes", "Memory of the process", [[node, process.rssBytes]]);
  return exposition.toString();
}
