import { countsAfterWorkerEnd } from "../stats/lost_worker.ts";
import type { ProcessUsage, ServerCounts, WorkerEnd, WorkerState } from "../stats/snapshot.ts";
import type { ServerReport } from "./server_job.ts";

/** What is known of one worker's part of a server, through all the processes that it has been. */
export class ServedPart {
  #pid = 0;
  /** Of the process that runs now, or ran last. */
  #last: ServerReport | undefined;
  /** Of the processes before it, by place of the endpoint among its own. */
  readonly #retired: ServerCounts[][] = [];
  readonly #ends: WorkerEnd[] = [];
  #retiredUserSeconds = 0;
  #retiredSystemSeconds = 0;

  constructor(readonly number: number) {}

  get pid(): number {
    return this.#pid;
  }

  begin(pid: number, report: ServerReport): void {
    this.#pid = pid;
    this.#last = report;
  }

  update(report: ServerReport): void {
    this.#last = report;
  }

  /** The process has gone, and with it what was open. */
  end(reason: string, atMs: number): void {
    const last = this.#last;
    if (last === undefined) return;
    const connections = last.total.open;
    this.#ends.push({ pid: this.#pid, atMs, reason, connections, messages: 0 });
    const detail = `worker ${this.number} (pid ${this.#pid}) ended: ${reason}`;
    this.#retired.push(
      last.endpoints.map(({ counts }) => countsAfterWorkerEnd(counts, { atMs, detail })),
    );
    this.#retiredUserSeconds += last.process.cpuUserSeconds;
    this.#retiredSystemSeconds += last.process.cpuSystemSeconds;
    this.#last = undefined;
  }

  /** The counts of the endpoint at this place, of every process. */
  countsAt(place: number): ServerCounts[] {
    const counts = [
      ...this.#retired.map((retired) => retired[place]),
      this.#last?.endpoints[place]?.counts,
    ];
    return counts.filter((each) => each !== undefined);
  }

  usage(): ProcessUsage {
    const { cpuUserSeconds = 0, cpuSystemSeconds = 0, rssBytes = 0, openFds = 0 } =
      this.#last?.process ?? {};
    return {
      cpuUserSeconds: this.#retiredUserSeconds + cpuUserSeconds,
      cpuSystemSeconds: this.#retiredSystemSeconds + cpuSystemSeconds,
      rssBytes,
      openFds,
    };
  }

  state(): WorkerState {
    const { cpuUserSeconds, cpuSystemSeconds, rssBytes, openFds } = this.usage();
    return {
      number: this.number,
      pid: this.#pid,
      open: this.#last?.total.open ?? 0,
      cpuSeconds: cpuUserSeconds + cpuSystemSeconds,
      rssBytes,
      openFds,
      ends: [...this.#ends],
    };
  }
}
