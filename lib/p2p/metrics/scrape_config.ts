/** A node's `/metrics`, as Prometheus finds it. */
export interface ScrapeTarget {
  readonly nodeId: number;
  /** `host:port`, with an IPv6 address in brackets. */
  readonly address: string;
}

/**
 * A configuration of Prometheus that scrapes the nodes of a benchmark once a second, with the label
 * `node` on all that they export. The text is YAML.
 *
 * Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
 *
 * @param run a name of the run for the label `run`; empty: there is no such label.
 */
export function scrapeConfig(targets: readonly ScrapeTarget[], run = ""): string {
  return [
    "# Nodes of holdfast p2p; use it with prometheus --config.file=<this file>",
    "global:",
    "  scrape_interval: 1s",
    "  scrape_timeout: 1s",
    "scrape_configs:",
    "  - job_name: holdfast-p2p",
    targets.length === 0 ? "    static_configs: []" : "    static_configs:",
    ...targets.flatMap(({ nodeId, address }) => [
      `      - targets: [${quoted(address)}]`,
      "        labels:",
      `          node: ${quoted(String(nodeId))}`,
      ...(run === "" ? [] : [`          run: ${quoted(run)}`]),
    ]),
    "",
  ].join("\n");
}

/** A string of JSON is one of YAML too (YAML 1.2, 1.3). */
function quoted(text: string): string {
  return JSON.stringify(text);
}
