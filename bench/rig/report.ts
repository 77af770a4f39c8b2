import { alignRight } from "../../lib/report/columns.ts";
import { formatDuration, formatShare } from "../../lib/stats/figures.ts";
import type { Histogram } from "../../lib/stats/histogram.ts";
import type { Goal } from "./goal.ts";

/** A row of a table: what was asked for, what was measured, and the goal beside it. */
export interface Figure {
  readonly label: string;
  readonly requested?: string | undefined;
  readonly measured: string;
  /** Measured divided by requested. */
  readonly share?: number | undefined;
  readonly goal?: Goal | undefined;
}

interface GoalLine {
  readonly where: string;
  readonly figure: Figure;
  readonly goal: Goal;
  readonly remark: string;
}

/** Prints tables as the benchmarks go on, and keeps the goals for the last one. */
export class Report {
  readonly #goals: GoalLine[] = [];
  /** Commands of this section. */
  #commands = new Set<string>();
  #isEmpty = true;

  line(text = ""): void {
    console.log(text);
    this.#isEmpty = text === "";
  }

  /** The beginning of a section, with an empty line before it. */
  heading(text: string): void {
    if (!this.#isEmpty) this.line();
    this.line(`== ${text}`);
    this.#commands.clear();
  }

  /** A command as it is run from the project's folder; once in a section where it is repeated. */
  command(command: readonly string[]): void {
    const typed = command.map(quoted).join(" ");
    if (this.#commands.has(typed)) return;
    this.#commands.add(typed);
    this.line(`$ ${typed}`);
  }

  /** Lines in columns, the first one aligned left. */
  table(rows: readonly (readonly string[])[]): void {
    this.line();
    for (const line of alignRight(rows)) this.line(line);
  }

  /**
   * A table of figures. Those with a goal come again in the last table.
   *
   * @param where which run this is, in a few words.
   * @param remark stands beside the goals of this run in the last table: what makes them doubtful.
   */
  figures(where: string, figures: readonly Figure[], remark = ""): void {
    const heads = ["", "requested", "measured", "share", "goal", ""];
    const rows = figures.map(({ label, requested, measured, share, goal }) => [
      label,
      requested ?? "",
      measured,
      share === undefined ? "" : formatShare(share),
      goal?.text ?? "",
      goal === undefined ? "" : verdictOn(goal),
    ]);
    // Columns that this table does not use are left out.
    const used = heads.map((_, column) => column === 0 || rows.some((row) => row[column] !== ""));
    this.table([heads, ...rows].map((row) => row.filter((_, column) => used[column])));
    for (const figure of figures) {
      if (figure.goal !== undefined) {
        this.#goals.push({ where, figure, goal: figure.goal, remark });
      }
    }
  }

  /** Percentiles of times; histograms without a value are left out. */
  times(rows: readonly (readonly [label: string, histogram: Histogram])[]): void {
    const filled = rows.filter(([, histogram]) => histogram.count > 0);
    if (filled.length === 0) return;
    const percentiles = [50, 90, 99, 99.9];
    this.table([
      ["", "min", "mean", ...percentiles.map((each) => `p${each}`), "max"],
      ...filled.map(([label, histogram]) => [
        label,
        ...[
          histogram.minNs,
          histogram.meanNs,
          ...histogram.percentilesNs(percentiles),
          histogram.maxNs,
        ].map(formatDuration),
      ]),
    ]);
  }

  /** All goals of all benchmarks that ran. */
  goals(): void {
    if (this.#goals.length === 0) return;
    const met = this.#goals.filter(({ goal }) => goal.isMet).length;
    this.heading(`goals: ${met} of ${this.#goals.length} met`);
    this.table([
      ["", "measured", "goal", "", "remarks"],
      ...this.#goals.map(({ where, figure, goal, remark }) => [
        `${where}: ${figure.label}`,
        goal.measured,
        goal.text,
        verdictOn(goal),
        remark,
      ]),
    ]);
  }
}

function verdictOn(goal: Goal): string {
  return goal.isMet ? "met" : "NOT MET";
}

function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
