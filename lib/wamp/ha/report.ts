import { alignRight, hanging } from "../../report/columns.ts";
import { spreadText } from "../../report/outage_lines.ts";
import { formatCount, formatDuration } from "../../stats/figures.ts";
import type { ServerSpread } from "../../stats/outage.ts";
import { probeSummary } from "../probe/summary.ts";
import type { AxisSecond, HaSnapshot, StepReport } from "./snapshot.ts";

/** The final report: what each step did, as a table and on the time axis, and what the probe has. */
export function haReport(snapshot: HaSnapshot): string[] {
  const { scenario, nodes, balancer, steps, axis, probe } = snapshot;
  return [
    `holdfast wamp ha: ${scenario} on ${nodes} nodes behind ${balancer}`,
    "",
    ...stepTable(steps),
    ...steps.flatMap(spreadLines),
    "",
    ...axisTable(axis),
    "",
    ...probeSummary(probe),
  ];
}

const ms = (value: number) => formatDuration(value * 1e6);

function stepTable(steps: readonly StepReport[]): string[] {
  return alignRight([
    [
      "step",
      "at",
      "detected",
      "marked down",
      "sessions",
      "back p50",
      "p95",
      "max",
      "all back",
      "lost",
      "dup",
      "calls failed",
    ],
    ...steps.map((step) => [
      step.text,
      `${(step.atMs / 1000).toFixed(1)} s`,
      ms(step.detectedMs),
      ms(step.markedDownMs),
      formatCount(step.lost),
      ms(step.reconnectP50Ms),
      ms(step.reconnectP95Ms),
      ms(step.reconnectMaxMs),
      ms(step.allBackMs),
      formatCount(step.eventsLost),
      formatCount(step.eventsDuplicated),
      formatCount(step.callsFailed),
    ]),
  ]);
}

function spreadLines({ text, before, after, recycled }: StepReport): string[] {
  const moved = recycled > 0 ? `; ${formatCount(recycled)} closed to spread again` : "";
  return hanging(
    `  ${text}  `,
    `before: ${spreadText(before)}; after: ${spreadText(after)}${moved}`,
  );
}

/** A line a second. */
function axisTable(axis: readonly AxisSecond[]): string[] {
  const nodes = [...new Set(axis.flatMap(({ spread }) => Object.keys(spread)))].sort();
  const rows = axis.map(({ atMs, open, spread, events, acknowledged, ...second }) => [
    `${(atMs / 1000).toFixed(0)} s`,
    formatCount(open),
    nodes.map((node) => `${(spread as ServerSpread)[node] ?? 0}`.padStart(3)).join(" "),
    formatCount(events),
    formatCount(acknowledged),
    formatCount(second.publicationsFailed),
    formatCount(second.callsFailed),
    formatDuration(second.deliveryP99Ns),
  ]);
  const header = [
    "time",
    "sessions",
    "by node",
    "events",
    "acked",
    "not acked",
    "calls failed",
    "delivery p99",
  ];
  const [first, ...lines] = alignRight([header, ...rows]);
  return [
    first!,
    ...lines.map((line, index) => {
      const { steps } = axis[index]!;
      return steps.length === 0 ? line : `${line}  <- ${steps.join(", ")}`;
    }),
  ];
}
