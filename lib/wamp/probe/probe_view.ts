import type { StatsView } from "../../report/stats_view.ts";
import { probeExposition } from "./exposition.ts";
import probePage from "./probe_page.html" with { type: "text" };
import type { ProbeSnapshot } from "./snapshot.ts";
import { probeSnapshotToJson } from "./snapshot_json.ts";

/** The live view of a probe's run. */
export function probeView(read: () => ProbeSnapshot): StatsView {
  const stats = (options: { readonly encoded: boolean }) => probeSnapshotToJson(read(), options);
  return {
    stats,
    metrics: () => probeExposition(read()),
    // The declaration of Bun takes every .html for a bundle; with type "text" it is the text.
    page: probePage as unknown as string,
    events: () => () => stats({ encoded: false }),
  };
}
