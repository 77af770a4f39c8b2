import { Histogram } from "./histogram.ts";
import type { PackedHistogram } from "./packed_histogram.ts";
import type { ClientHistograms } from "./snapshot.ts";

type Key = keyof ClientHistograms;

/** Those that every client has; others are there where they have something in them. */
const keys = ["response", "service", "connect", "scheduleError", "lateness"] as const;

/** The histograms of a client as plain data, for another process. */
export type PackedHistograms = Readonly<Partial<Record<Key, PackedHistogram>>>;

export function emptyHistograms(): ClientHistograms {
  return {
    response: new Histogram(),
    service: new Histogram(),
    connect: new Histogram(),
    scheduleError: new Histogram(),
    lateness: new Histogram(),
  };
}

/** Adds the second ones to the first. */
export function addHistograms(to: ClientHistograms, added: ClientHistograms): void {
  for (const [key, histogram] of entriesOf(added)) histogramOf(to, key).add(histogram);
}

export function resetHistograms(histograms: ClientHistograms): void {
  for (const [, histogram] of entriesOf(histograms)) histogram.reset();
}

export function packHistograms(histograms: ClientHistograms): PackedHistograms {
  return Object.fromEntries(
    entriesOf(histograms).map(([key, histogram]) => [key, histogram.pack()]),
  );
}

export function addPackedHistograms(to: ClientHistograms, added: PackedHistograms): void {
  for (const [key, packed] of Object.entries(added)) histogramOf(to, key as Key).addPacked(packed);
}

function entriesOf(histograms: ClientHistograms): [Key, Histogram][] {
  const present: [Key, Histogram][] = keys.map((key) => [key, histograms[key]]);
  if (histograms.reconnect !== undefined) present.push(["reconnect", histograms.reconnect]);
  return present;
}

function histogramOf(histograms: ClientHistograms, key: Key): Histogram {
  return histograms[key] ??= new Histogram();
}
