import { availableParallelism } from "node:os";
import {
  type BoundName,
  type Capacity,
  type CapacityQuestion,
  connectionsPerProcess,
  predictCapacity,
} from "../host/capacity.ts";
import { type HostReadings, readHost } from "../host/host_readings.ts";
import { mostWorkers } from "../options/workers.ts";
import { formatCount } from "../stats/figures.ts";
import { boundRow, labelOf } from "./bound_rows.ts";
import { type Findings, findings, type LimitRow } from "./limit_row.ts";
import { rateRow, type RateRowName } from "./rate_rows.ts";
import type { Question } from "./target.ts";

/** What was found out about this host. */
export interface Examination {
  readonly question: Question;
  readonly asked: number | undefined;
  readonly platform: string;
  readonly capacity: Capacity;
  /** How the table calls the limit that comes first; "" where none is known. */
  readonly firstLimit: string;
  readonly rows: readonly LimitRow[];
}

/** The order of the table: descriptors, ports, memory, queues, the rest. */
const order: readonly (BoundName | RateRowName)[] = [
  "nofile",
  "fs.nr_open",
  "file-max",
  "epoll watches",
  "source ports",
  "conntrack",
  "memory",
  "cgroup memory",
  "processes",
  "cgroup pids",
  "somaxconn",
  "tcp_max_syn_backlog",
  "tcp_syncookies",
  "tcp_tw_reuse",
  "tcp_mem",
  "udp_mem",
  "rmem",
  "wmem",
  "netdev_max_backlog",
];

/** Reads the host and judges it. */
export async function examine(
  question: Question,
  asked: number | undefined,
): Promise<Examination> {
  return judge(await readHost(question.sources), question, asked);
}

/** The same from given readings. */
export function judge(
  readings: HostReadings,
  { capacity: sharing, ...rest }: Question,
  asked: number | undefined,
): Examination {
  const workers = rest.isAutomatic ? workersFor(asked, readings, sharing) : sharing.workers;
  const question: Question = { ...rest, capacity: { ...sharing, workers } };
  const capacity = predictCapacity(readings, question.capacity);
  const found = findings(readings, question.capacity, capacity, asked);
  return {
    question,
    asked,
    platform: readings.platform,
    capacity,
    firstLimit: capacity.first === undefined ? "" : labelOf(capacity.first.name, found),
    rows: order.map((name) => rowOf(name, found)),
  };
}

/** As `holdfast server` and `holdfast client` understand `--workers auto`. */
function workersFor(
  asked: number | undefined,
  readings: HostReadings,
  question: CapacityQuestion,
): number {
  if (question.role === "server") return availableParallelism();
  const each = connectionsPerProcess(readings, question);
  return asked === undefined || each === 0 ? 1 : Math.min(mostWorkers, Math.ceil(asked / each));
}

function rowOf(name: BoundName | RateRowName, found: Findings): LimitRow {
  const isBound = found.capacity.bounds.some((bound) => bound.name === name);
  return isBound ? boundRow(name as BoundName, found) : rateRow(name as RateRowName, found);
}

/** Whether what was asked for fits; true where nothing was. */
export function fits({ asked, capacity }: Examination): boolean {
  return asked === undefined || asked <= capacity.connections;
}

/** The answer in a sentence. */
export function answer(examination: Examination): string {
  const { capacity, question, firstLimit, platform } = examination;
  const { role, workers } = question.capacity;
  const name = question.targetName;
  const where = role === "client"
    ? ` to ${name === "" ? "one target" : name}`
    : name === ""
    ? ""
    : ` on ${name}`;
  const processes = workers === 1 ? "" : ` in ${formatCount(workers)} processes`;
  const what = `${role} connections${where}${processes}`;
  if (capacity.first === undefined) {
    return `How many ${what} this host can hold is not known: ` +
      (platform === "linux"
        ? "no limit can be read"
        : `${platform} does not tell, only Linux does`) +
      ".";
  }
  return `This host can hold about ${formatCount(capacity.connections)} ${what}; ` +
    `the first limit is ${firstLimit}.`;
}
