import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

const decimalPrefixes: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

const decimal = /^(\d+(?:\.\d+)?|\.\d+)([kMG]?)$/;

/** A number with an optional decimal prefix; NaN where it is none. `1.2M` is exactly 1200000. */
function parseDecimal(text: string): number {
  const match = decimal.exec(text);
  if (match === null) return NaN;
  const value = Number(match[1]) * (decimalPrefixes[match[2] ?? ""] ?? NaN);
  return Math.round(value * 1e6) / 1e6;
}

/** Events per second: `50000`, `50k`, `1.2M`, `0.5`, each with or without `/s`. */
export const rate: Kind<number> = {
  placeholder: "n",
  parse(text) {
    const perSecond = parseDecimal(text.replace(/\/s$/, ""));
    if (!(perSecond > 0 && perSecond <= 1e9)) {
      throw new UsageError(
        `${quote(text)} is not a rate; write a number per second above 0 and up to 1G, ` +
          `such as 500, 50k or 1.2M`,
      );
    }
    return perSecond;
  },
  format: (perSecond) => `${perSecond}/s`,
};

/** A whole number in a range, with an optional prefix: `1000`, `1k`, `1M`. */
export function countBetween(least: number, most: number): Kind<number> {
  return {
    placeholder: "n",
    parse(text) {
      const value = parseDecimal(text);
      if (!Number.isInteger(value) || value < least || value > most) {
        throw new UsageError(
          `${quote(text)} is not a whole number from ${least} to ${most}, such as ` +
            (most >= 1000 ? "100, 1k or 1M" : `${least}`),
        );
      }
      return value;
    },
    format: String,
  };
}

/** Ids and counts are kept in 32-bit arrays. */
const maxCount = 0x7fffffff;

/** How many of something, at least one. */
export const count: Kind<number> = countBetween(1, maxCount);

/** The same, or `max` (Infinity): as many as there can be. */
export const countOrMax: Kind<number> = {
  placeholder: "n|max",
  parse: (text) => text.toLowerCase() === "max" ? Infinity : count.parse(text),
  format: (value) => value === Infinity ? "max" : count.format(value),
};

/** The start of a pseudo-random sequence. */
export const seed: Kind<number> = countBetween(0, 0xffffffff);

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** A number of bytes, at least one: `64`, `64B`, `64KiB` (65536), `1MB` (1000000). */
export const size: Kind<number> = {
  placeholder: "bytes",
  parse(text) {
    const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text) ?? [];
    const ambiguous = /^[kKmMgG]$/.test(unit);
    if (digits !== undefined && ambiguous) {
      const prefix = unit.toUpperCase();
      throw new UsageError(
        `${quote(text)} can be read in two ways; write ${digits}${
          prefix === "K" ? "k" : prefix
        }B ` +
          `(decimal) or ${digits}${prefix}iB (binary)`,
      );
    }
    const bytes = Number(digits) * (sizeUnits[unit] ?? NaN);
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > maxCount) {
      throw new UsageError(
        `${quote(text)} is not a size; write whole bytes from 1 to 2GB, such as 64, 64KiB or 1MB`,
      );
    }
    return bytes;
  },
  format(bytes) {
    if (bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20}MiB`;
    if (bytes % 2 ** 10 === 0) return `${bytes / 2 ** 10}KiB`;
    return `${bytes}B`;
  },
};
