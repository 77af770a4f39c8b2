import { summarize } from "../stats/histogram_summary.ts";
import type { ClientHistograms, ClientSnapshot } from "../stats/snapshot.ts";
import { snapshotToJson } from "../stats/snapshot_json.ts";
import livePage from "./live_page.html" with { type: "text" };
import type { Output } from "./output.ts";

/** The page shows so many points; a longer run keeps every second, every fourth … of its seconds. */
const mostPoints = 900;

/**
 * The page of a whole run, in one file that needs no server: the live page, with the seconds of the
 * run in it instead of a connection.
 */
export class HtmlReport {
  /** Each a snapshot as JSON text, about 3 kB. */
  private points: string[] = [];
  private keptEvery = 1;
  private seconds = 0;

  constructor(private readonly output: Output) {}

  /** A second is over. */
  second(snapshot: ClientSnapshot, interval: ClientHistograms): void {
    if (this.seconds++ % this.keptEvery !== 0) return;
    this.points.push(pointOf(snapshot, interval));
    if (this.points.length < mostPoints) return;
    this.points = this.points.filter((_, at) => at % 2 === 0);
    this.keptEvery *= 2;
  }

  /**
   * The run is over: writes the page.
   *
   * @throws what the output throws.
   */
  finish(snapshot: ClientSnapshot): void {
    const seconds = `[${[...this.points, pointOf(snapshot, undefined)].join(",\n")}]`;
    this.output.write(new TextEncoder().encode(withSeconds(seconds)));
  }
}

function pointOf(snapshot: ClientSnapshot, interval: ClientHistograms | undefined): string {
  return JSON.stringify({
    ...snapshotToJson(snapshot, { encoded: false }),
    ...(interval === undefined ? {} : { interval: { response: summarize(interval.response) } }),
  });
}

/** Nothing that a peer said can end the script element: `<` is written as an escape of JSON. */
function withSeconds(json: string): string {
  const data = json.replaceAll("<", "\\u003c");
  // The declaration of Bun takes every .html for a bundle; with type "text" it is the text.
  const [before, ...after] = (livePage as unknown as string).split("<script>");
  return `${before}<script type="application/json" id="recorded">${data}</script>\n    <script>${
    after.join("<script>")
  }`;
}
