import type { Router } from "./router.ts";
import { servedFor } from "./router_page.ts";
import { routerStats } from "./router_stats.ts";

/** A page for people: who this is, and what it has done. It renews itself. */
export function statusPage(router: Router, peer: string): string {
  const { realms, listeners, links, uptimeSeconds } = routerStats(router);
  const rows: (readonly [string, string | number])[] = [
    ["up", `${Math.round(uptimeSeconds)} s`],
    ["listening on", listeners.map(({ url }) => url).join(", ")],
    ...realms.flatMap((realm) =>
      [
        [`${realm.name}: sessions`, realm.sessions],
        [`${realm.name}: subscriptions`, realm.subscriptions],
        [`${realm.name}: registrations`, realm.registrations],
        [`${realm.name}: links from`, realm.links.map(({ node }) => node).join(", ") || "none"],
      ] as const
    ),
    ...links.map(({ url, node, state }) => [`link to ${url}`, `${state} ${node}`] as const),
    ...Object.entries(router.counters).map(([name, value]) => [words(name), value] as const),
  ];
  const cells = rows.map(([name, value]) =>
    `<tr><th>${escape(name)}</th><td>${escape(String(value))}</td></tr>`
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>holdfast router ${escape(router.node)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
th { text-align: left; font-weight: normal; color: #666; padding-right: 2rem; }
td { font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<h1>holdfast router ${escape(router.node)}</h1>
<p>${escape(servedFor(router, peer))}</p>
<table>
${cells.join("\n")}
</table>
<p><a href="/info">/info</a> <a href="/stats">/stats</a> <a href="/metrics">/metrics</a></p>
</body>
</html>
`;
}

/** `eventsLocal` as `events local`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
