/**
 * Program: an echo server that mistreats a share of its answers, each in one way, as a seed has it,
 * and counts what it did.
 */
import { createEchoCodec, echoHeaderBytes } from "../../lib/codec/echo.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { serveParent } from "./child_server.ts";
import { type FramedServerSettings, type Peer, serveFrames } from "./framed_server.ts";

export const faultKinds = [
  "dropped",
  "duplicated",
  "reordered",
  "spoiltPayloads",
  "spoiltHeaders",
  "late",
  "invented",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface MisbehavingServerSettings extends FramedServerSettings {
  readonly seed: number;
  /** The share of all messages that each of these faults gets. */
  readonly share: number;
  readonly faults: readonly FaultKind[];
  /** How long after its message a late answer comes. */
  readonly lateMs: number;
  /** Nothing is late after so many messages, so that late answers come within the run. */
  readonly lateAmongFirst: number;
}

export interface MisbehavingServerReport extends Record<FaultKind, number> {
  received: number;
  /** Answers in good order. */
  intact: number;
}

const settings = JSON.parse(process.argv[2]!) as MisbehavingServerSettings;
const random = seededRandom(settings.seed);
const codec = createEchoCodec({ sizeBytes: settings.frameBytes, framing: "stream" });
const report: MisbehavingServerReport = {
  received: 0,
  intact: 0,
  dropped: 0,
  duplicated: 0,
  reordered: 0,
  spoiltPayloads: 0,
  spoiltHeaders: 0,
  late: 0,
  invented: 0,
};

/** Answers that the next one on the same connection overtakes. */
const held = new Map<Peer, Uint8Array>();

function answerIntact(peer: Peer, frame: Uint8Array): void {
  report.intact++;
  peer.answer(frame);
  const overtaken = held.get(peer);
  if (overtaken === undefined) return;
  held.delete(peer);
  report.reordered++;
  peer.answer(overtaken);
}

function flipBit(frame: Uint8Array, from: number, to: number): Uint8Array {
  frame[from + Math.floor(random() * (to - from))]! ^= 1 << Math.floor(random() * 8);
  return frame;
}

function mistreat(fault: FaultKind, peer: Peer, frame: Uint8Array): void {
  switch (fault) {
    case "dropped":
      break;
    case "duplicated":
      answerIntact(peer, frame);
      peer.answer(frame);
      break;
    case "reordered":
      if (held.has(peer)) return answerIntact(peer, frame);
      held.set(peer, frame);
      setTimeout(() => {
        if (held.get(peer) !== frame) return;
        held.delete(peer);
        answerIntact(peer, frame);
      }, 300);
      return; // counted when it is overtaken
    case "spoiltPayloads":
      peer.answer(flipBit(frame, echoHeaderBytes, frame.length));
      break;
    case "spoiltHeaders":
      peer.answer(flipBit(frame, 0, echoHeaderBytes));
      break;
    case "late":
      if (report.received > settings.lateAmongFirst) return answerIntact(peer, frame);
      setTimeout(() => peer.answer(frame), settings.lateMs);
      break;
    case "invented": {
      answerIntact(peer, frame);
      const answer = frame.slice();
      codec.stamp(answer, 0, 0x4000_0000 + report.invented);
      peer.answer(answer);
      break;
    }
  }
  report[fault]++;
}

const port = await serveFrames(settings, (peer, frame) => {
  report.received++;
  const fault = settings.faults[Math.floor(random() / settings.share)];
  if (fault === undefined) answerIntact(peer, frame);
  else mistreat(fault, peer, frame);
});

serveParent(port, () => report);
