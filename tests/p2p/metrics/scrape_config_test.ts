import { test } from "bun:test";
import assert from "node:assert/strict";
import { scrapeConfig } from "../../../lib/p2p/metrics/scrape_config.ts";
import { Directory } from "../../interop/program.ts";
import { testWith } from "../../programs.ts";

const targets = [
  { nodeId: 0, address: "127.0.0.1:2000" },
  { nodeId: 17, address: "[::1]:2017" },
  { nodeId: 2, address: 'a"b\\c:1' },
];

test("scrapeConfig() names every node, with its id as a label", () => {
  assert.equal(
    scrapeConfig(targets.slice(0, 2), "night run"),
    `# Nodes of holdfast p2p; use it with prometheus --config.file=<this file>
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: holdfast-p2p
    static_configs:
      - targets: ["127.0.0.1:2000"]
        labels:
          node: "0"
          run: "night run"
      - targets: ["[::1]:2017"]
        labels:
          node: "17"
          run: "night run"
`,
  );
});

test("scrapeConfig() is YAML, whatever names it is given", () => {
  const parsed = Bun.YAML.parse(scrapeConfig(targets, 'x: "#\n-')) as {
    scrape_configs: { static_configs: { targets: string[]; labels: Record<string, string> }[] }[];
  };
  assert.deepEqual(
    parsed.scrape_configs[0]!.static_configs.map((each) => [each.targets[0], each.labels]),
    targets.map(({ nodeId, address }) => [address, { node: String(nodeId), run: 'x: "#\n-' }]),
  );
});

testWith(["promtool"])("promtool accepts the configuration", async () => {
  using directory = new Directory();
  for (const [index, listed] of [targets.slice(0, 2), targets.slice(0, 1), []].entries()) {
    for (const run of ["", "a: b"]) {
      const path = await directory.write(`${index}.yml`, scrapeConfig(listed, run));
      const { exitCode, stderr, stdout } = Bun.spawnSync(["promtool", "check", "config", path], {
        timeout: 30_000,
      });
      assert.equal(exitCode, 0, `${stdout}${stderr}`);
    }
  }
});
