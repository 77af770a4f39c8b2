import type { MessageTrace } from "../load/message_trace.ts";
import { ClientLine } from "../report/client_line.ts";
import { clientSummary } from "../report/client_summary.ts";
import { CsvLog } from "../report/csv.ts";
import { HdrLog } from "../report/hdr_log.ts";
import type { Io } from "../report/io.ts";
import { HtmlReport } from "../report/html.ts";
import { writeSnapshotJson } from "../report/json.ts";
import { openOutput, type Output } from "../report/output.ts";
import { nowNs } from "../stats/clock.ts";
import type { ClientHistograms, ClientSnapshot, RunIdentity } from "../stats/snapshot.ts";
import type { ClientSettings } from "./options.ts";

/** Messages of all connections belong to one arrival process. */
const poissonId = 0;
/** The column holds tcpscaler's 16-bit query ids; ours are the low bits of the sequence number. */
const queryIdMask = 0xffff;

/**
 * Everything that a run leaves behind: lines on the terminal, files. Files are opened before the
 * run, so that a path that cannot be written costs nobody a measurement.
 */
export class Results {
  /** Where there is a per-message log. */
  readonly trace: MessageTrace | undefined;

  private readonly outputs: Output[] = [];
  /** The first failure to write. */
  private failure: unknown;
  private readonly json: Output | undefined;
  private readonly csv: CsvLog | undefined;
  private readonly html: HtmlReport | undefined;
  private readonly hdrOutput: Output | undefined;
  private hdr: HdrLog | undefined;
  private readonly line = new ClientLine();

  /** @throws {FileError} a file cannot be written. */
  constructor(private readonly settings: ClientSettings, private readonly io: Io) {
    const { csvFile, jsonFile, hdrFile, htmlFile } = settings;
    if (csvFile !== undefined) {
      this.csv = new CsvLog(this.open(csvFile), { epochMs: Date.now(), atNs: nowNs() });
      this.csv.flush();
      this.trace = traceInto(this.csv);
    }
    if (jsonFile !== undefined) this.json = this.open(jsonFile);
    if (hdrFile !== undefined) this.hdrOutput = this.open(hdrFile);
    if (htmlFile !== undefined) this.html = new HtmlReport(this.open(htmlFile));
    if (this.failure !== undefined) {
      this.close();
      throw this.failure;
    }
  }

  /** A file that cannot be written any more gets no further bytes, and the run goes on. */
  private open(path: string): Output {
    const output = openOutput(path, this.io);
    let isBroken = false;
    const attempt = (operation: () => void) => {
      if (isBroken) return;
      try {
        operation();
      } catch (error) {
        isBroken = true;
        this.failure ??= error;
      }
    };
    const lasting: Output = {
      write: (bytes) => attempt(() => output.write(bytes)),
      close: () => attempt(() => output.close()),
    };
    this.outputs.push(lasting);
    return lasting;
  }

  /** The run starts now. */
  start(run: RunIdentity): void {
    if (this.hdrOutput === undefined) return;
    this.hdr = new HdrLog(this.hdrOutput, {
      startedAtMs: Date.parse(run.startedAt),
      comments: [`holdfast ${run.version}`, ...settingLines(run)],
    });
  }

  /** A second is over: see `SecondHandler`. */
  second(
    interval: ClientHistograms,
    startNs: number,
    endNs: number,
    snapshot: ClientSnapshot,
  ): void {
    this.hdr?.interval(startNs / 1e6, endNs / 1e6, { ...interval });
    this.csv?.flush();
    if (snapshot.phase !== "done") this.html?.second(snapshot, interval);
    if (this.settings.quiet || snapshot.phase === "done") return;
    const line = this.line.next(snapshot, interval.response);
    if (this.io.isTerminal) this.io.live(line);
    else this.io.note(line);
  }

  /**
   * The run is over. With `--csv -` stdout belongs to the rows, and the summary goes to stderr.
   *
   * @throws {FileError} a file could not be written to its end; everything else was.
   */
  finish(snapshot: ClientSnapshot): void {
    this.csv?.flush();
    this.io.live("");
    for (const line of clientSummary(snapshot)) {
      if (this.settings.csvFile === "-") this.io.note(line);
      else this.io.out(line);
    }
    if (this.json !== undefined) writeSnapshotJson(this.json, snapshot);
    this.html?.finish(snapshot);
    this.close();
    if (this.failure !== undefined) throw this.failure;
  }

  close(): void {
    for (const output of this.outputs) output.close();
  }
}

function traceInto(csv: CsvLog): MessageTrace {
  return {
    sent: (connection, sequence, gapNs, sentNs) =>
      csv.query(sentNs, connection, sequence & queryIdMask, poissonId, gapNs / 1e3),
    answered: (connection, sequence, answeredNs, serviceNs) =>
      csv.answer(answeredNs, connection, sequence & queryIdMask, serviceNs / 1e3),
  };
}

function settingLines(run: RunIdentity): string[] {
  return [
    ...Object.entries(run.settings).map(([name, value]) => `${name}: ${value}`),
    ...Object.entries(run.labels).map(([name, value]) => `label ${name}=${value}`),
  ];
}
