/**
 * Opens connections until they fail, whatever was predicted: `connector.ts <JSON of Job>`. Says how
 * far it came, and then holds what it has until its standard input ends.
 */
import process from "node:process";
import { SourceTable, type SourceTableSettings } from "../../lib/host/source_table.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { transports } from "../../lib/transport/registry.ts";
import type { Dialer } from "../../lib/transport/transport.ts";

export interface Job {
  readonly endpoint: string;
  /** How many to try. */
  readonly connections: number;
  readonly connectionsPerSocket?: number;
  readonly sources?: SourceTableSettings;
  /** Ends them with FIN, from this side: they go to TIME_WAIT here. */
  readonly isOrderly?: boolean;
}

export interface Reached {
  /** Open once nothing moved any more. */
  readonly open: number;
  /** What happened to the others, by kind of failure. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Connects under way at a time. */
const most = 100;
/** Nothing moves for so long: what has no answer by then, after the first retransmit, gets none. */
const stillMs = 1500;
/** The same where all have their answer, and a server may still close some. */
const settledMs = 300;

if (import.meta.main) await perform(JSON.parse(process.argv[2] ?? "") as Job);

async function perform(job: Job): Promise<void> {
  const isOpen = new Uint8Array(job.connections);
  const failures: Record<string, number> = {};
  let [open, asked, settled] = [0, 0, 0];
  let movedMs = performance.now();
  let next = () => {};
  const dialer: Dialer = await transports[parseEndpoint(job.endpoint).scheme].dial(
    parseEndpoint(job.endpoint),
    {
      open(id) {
        isOpen[id] = 1;
        open++;
        settled++;
        next();
      },
      data() {},
      drain() {},
      end() {},
      close(id, failure) {
        if (isOpen[id] === 1) open--;
        else settled++;
        isOpen[id] = 0;
        failures[failure?.kind ?? "none"] = (failures[failure?.kind ?? "none"] ?? 0) + 1;
        next();
      },
    },
    {
      capacity: job.connections,
      connectTimeoutMs: 60_000,
      connectionsPerSocket: job.connectionsPerSocket ?? 1,
      datagrams: false,
      maxMessageBytes: 65_536,
      tls: { insecure: true, alpn: [] },
      ...(job.sources === undefined ? {} : { sources: new SourceTable(job.sources) }),
    },
  );
  next = () => {
    movedMs = performance.now();
    setImmediate(() => {
      while (asked < job.connections && asked - settled < most) dialer.connect(asked++);
    });
  };
  next();
  const isMoving = () =>
    performance.now() - movedMs < (settled >= job.connections ? settledMs : stillMs);
  while (isMoving()) await Bun.sleep(20);
  process.stdout.write(`reached ${JSON.stringify({ open, failures } satisfies Reached)}\n`);
  for await (const _ of process.stdin);
  if (job.isOrderly) {
    for (let id = 0; id < job.connections; id++) if (isOpen[id] === 1) dialer.close(id);
    await Bun.sleep(500);
  }
  process.exit(0);
}
