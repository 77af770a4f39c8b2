import { UsageError } from "../errors.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
} from "./figures.ts";

/** What a metric is measured in, and so which units its limit takes. */
export type Quantity = "duration" | "count" | "rate" | "bytes" | "cores" | "share";

interface QuantityTraits {
  /** Factor to the base unit (ns, pieces, per second, bytes, cores, share of 1). */
  readonly units: Readonly<Record<string, number>>;
  readonly noun: string;
  readonly examples: string;
  format(value: number): string;
}

const multiples = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

const quantities: Record<Quantity, QuantityTraits> = {
  duration: {
    units: { ns: 1, us: 1e3, "µs": 1e3, "μs": 1e3, ms: 1e6, s: 1e9, m: 6e10, min: 6e10, h: 3.6e12 },
    noun: "a duration",
    examples: "500us, 10ms, 1.5s",
    format: formatDuration,
  },
  count: { units: multiples, noun: "a count", examples: "0, 10k, 1M", format: formatCount },
  rate: {
    units: { ...multiples, "/s": 1, "k/s": 1e3, "M/s": 1e6, "G/s": 1e9 },
    noun: "a rate",
    examples: "500, 49.9k, 1M",
    format: formatRate,
  },
  bytes: {
    units: {
      ...multiples,
      B: 1,
      kB: 1e3,
      MB: 1e6,
      GB: 1e9,
      KiB: 1024,
      MiB: 1024 ** 2,
      GiB: 1024 ** 3,
    },
    noun: "a size",
    examples: "512, 10kB, 1MiB",
    format: formatBytes,
  },
  cores: {
    units: { "": 1, "%": 0.01 },
    noun: "a number of cores",
    examples: "0.8, 80%",
    format: formatCores,
  },
  share: {
    units: { "%": 0.01 },
    noun: "a percentage",
    examples: "99%, 99.9%",
    format: formatShare,
  },
};

/** A limit in base units, and the quantity that it was written in. */
export interface Limit {
  readonly quantity: Quantity;
  readonly value: number;
}

/**
 * Reads the limit of an expectation.
 *
 * @param hasShare whether the metric can be taken as a percentage of something, too.
 * @param noun what messages call the whole condition.
 * @throws {UsageError} no number, or a unit that the metric is not measured in.
 */
export function parseLimit(
  text: string,
  quantity: Quantity,
  hasShare: boolean,
  expectation: string,
  noun = "expectation",
): Limit {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*([^\d\s]*)$/.exec(text);
  const [, digits = "", unit = ""] = match ?? [];
  const found = hasShare && unit === "%" ? "share" : quantity;
  const factor = Object.entries(quantities[found].units).find(([name]) => name === unit)?.[1];
  if (match === null || factor === undefined) {
    const examples = quantities[quantity].examples + (hasShare ? ", 0.1%" : "");
    throw new UsageError(
      `${noun} ${JSON.stringify(expectation)} has the limit ${JSON.stringify(text)}; ` +
        `${quantities[quantity].noun} was expected, for instance ${examples}`,
    );
  }
  return { quantity: found, value: Number(digits) * factor };
}

/** A measured value as people read it. */
export function formatQuantity(value: number, quantity: Quantity): string {
  return quantities[quantity].format(value);
}
