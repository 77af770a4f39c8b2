import { prometheusContentType } from "../../report/exposition.ts";
import type { Router } from "./router.ts";
import { routerMetrics, routerStats } from "./router_stats.ts";
import { statusPage } from "./status_page.ts";

/** What a listener answers to requests over HTTP. */
export function routerPage(router: Router, path: string, peer: string): Response {
  switch (path) {
    case "/":
      return page(statusPage(router, peer), "text/html; charset=utf-8");
    case "/info":
      return page(`${servedFor(router, peer)}\n`, "text/plain; charset=utf-8");
    case "/stats":
      return page(`${JSON.stringify(routerStats(router))}\n`, "application/json");
    case "/metrics":
      return page(routerMetrics(router), prometheusContentType);
    default:
      return page(
        "there are /, /info, /stats and /metrics here\n",
        "text/plain; charset=utf-8",
        404,
      );
  }
}

/** Who answers, and to whom. */
export function servedFor(router: Router, peer: string): string {
  return `Served for ${peer} from holdfast router ${router.node} with PID ${router.pid}`;
}

function page(content: string, type: string, status = 200): Response {
  return new Response(content, {
    status,
    headers: {
      "Content-Type": type,
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
    },
  });
}
