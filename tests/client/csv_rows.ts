import assert from "node:assert/strict";

export const csvHeader =
  "type,timestamp,connection_id,query_id,poisson_id,poisson_interval_us,rtt_us";

export interface CsvRow {
  readonly type: "Q" | "A";
  readonly atUs: number;
  readonly connection: number;
  readonly query: number;
  /** Of messages; NaN: none, as in a closed loop. */
  readonly intervalUs: number;
  /** Of answers. */
  readonly rttUs: number;
}

/** The rows of a `--csv` file, of which every one must be right. */
export function readCsv(text: string): CsvRow[] {
  const lines = text.split("\n");
  assert.equal(lines.shift(), csvHeader);
  assert.equal(lines.pop(), "", "the last line has an end");
  return lines.map((line) => {
    assert.match(line, /^(Q,\d{10}\.\d{9},\d+,\d{1,5},0,\d*,|A,\d{10}\.\d{9},\d+,\d{1,5},,,\d+)$/);
    const [type, timestamp, connection, query, , interval, rtt] = line.split(",");
    const [seconds, ns] = timestamp!.split(".").map(Number);
    return {
      type: type as "Q" | "A",
      atUs: seconds! * 1e6 + ns! / 1e3,
      connection: Number(connection),
      query: Number(query),
      intervalUs: interval === "" ? NaN : Number(interval),
      rttUs: rtt === "" ? NaN : Number(rtt),
    };
  });
}

export function messagesOf(rows: readonly CsvRow[]): CsvRow[] {
  return rows.filter(({ type }) => type === "Q");
}

export function answersOf(rows: readonly CsvRow[]): CsvRow[] {
  return rows.filter(({ type }) => type === "A");
}
