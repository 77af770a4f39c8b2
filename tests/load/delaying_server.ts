/**
 * Program: answers every message, after a delay; `{ freezeMs }` makes it stand still. It notes when it
 * received and answered each message, on its own clock, which shows how far it kept its promise.
 */
import { Pacer } from "../../lib/load/pacer.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { serveParent } from "./child_server.ts";
import { type FramedServerSettings, type Peer, serveFrames } from "./framed_server.ts";
import { seededRandom } from "../stats/seeded_random.ts";

export interface DelayingServerSettings extends FramedServerSettings {
  /** Each with the share of the messages that it is for. */
  readonly delays: readonly { readonly ms: number; readonly share: number }[];
}

/** Of each message: its sequence number, and when it was received and answered, in ns. */
export interface DelayingServerReport {
  readonly sequences: number[];
  readonly receivedNs: number[];
  readonly answeredNs: number[];
}

const settings = JSON.parse(process.argv[2]!) as DelayingServerSettings;
const report: DelayingServerReport = { sequences: [], receivedNs: [], answeredNs: [] };
const random = seededRandom(7);

interface Pending {
  readonly peer: Peer;
  readonly frame: Uint8Array;
  readonly receivedNs: number;
}

function answer({ peer, frame, receivedNs }: Pending): void {
  report.sequences.push(new DataView(frame.buffer).getUint32(4));
  report.receivedNs.push(receivedNs);
  report.answeredNs.push(nowNs());
  peer.answer(frame);
}

/** Messages of one delay leave in the order in which they came. */
const queues = settings.delays.map(({ ms }) => ({ delayNs: ms * 1e6, waiting: [] as Pending[] }));

function chooseQueue() {
  let choice = random();
  for (const [index, { share }] of settings.delays.entries()) {
    if (choice < share) return queues[index]!;
    choice -= share;
  }
  return queues.at(-1)!;
}

/** Answers what is due, and looks again in a millisecond at the latest. */
new Pacer((atNs) => {
  let nextNs = atNs + 1e6;
  for (const { delayNs, waiting } of queues) {
    while (waiting.length > 0 && waiting[0]!.receivedNs + delayNs <= nowNs()) {
      answer(waiting.shift()!);
    }
    if (waiting.length > 0) nextNs = Math.min(nextNs, waiting[0]!.receivedNs + delayNs);
  }
  return nextNs;
}).start();

const port = await serveFrames(settings, (peer, frame) => {
  const pending = { peer, frame, receivedNs: nowNs() };
  const { delayNs, waiting } = chooseQueue();
  if (delayNs === 0) answer(pending);
  else waiting.push(pending);
});

serveParent(port, (request) => {
  if (request === "report") return report;
  const { freezeMs } = request as { freezeMs: number };
  const fromNs = nowNs();
  Bun.sleepSync(freezeMs);
  return { fromNs, toNs: nowNs() };
});
