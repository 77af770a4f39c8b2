/*
 * Figures for people: a number with its unit, three significant digits where more would pretend a
 * precision that is not there. A figure that does not exist is a dash.
 */

const dash = "–";

/** Three significant digits, without an exponent: `0.0123`, `1.23`, `12.3`, `123`, `1234`. */
function threeDigits(value: number): string {
  if (value === 0) return "0";
  // Rounded first: 9.999 has the digits of 10.0, not of 9.99.
  const rounded = Number(Math.abs(value).toPrecision(3));
  const decimals = 2 - Math.floor(Math.log10(rounded));
  return value.toFixed(Math.min(Math.max(decimals, 0), 20));
}

/** The first unit in which the rounded value stays below the next one. */
function scaled(value: number, units: readonly (readonly [size: number, name: string])[]): string {
  for (const [position, [size, name]] of units.entries()) {
    const next = units[position + 1];
    const text = threeDigits(value / size);
    if (next === undefined || Math.abs(Number(text)) * size < next[0]) return `${text} ${name}`;
  }
  throw new RangeError("no units");
}

const durationUnits = [[1, "ns"], [1e3, "µs"], [1e6, "ms"], [1e9, "s"]] as const;
const byteUnits = [[1, "B"], [1e3, "kB"], [1e6, "MB"], [1e9, "GB"], [1e12, "TB"]] as const;

/** Nanoseconds as `842 ns`, `12.3 µs`, `1.23 ms`, `12.3 s`. */
export function formatDuration(ns: number): string {
  if (!Number.isFinite(ns)) return dash;
  if (Math.abs(ns) < 1_000) return `${Math.round(ns)} ns`;
  return scaled(ns, durationUnits);
}

/** A length of time in milliseconds, to read along a run: `0.8 s`, `75.0 s`, `12 min 5 s`. */
export function formatElapsed(ms: number): string {
  if (!Number.isFinite(ms)) return dash;
  if (ms < 119_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A whole number with its thousands apart: `1,234,567`. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return dash;
  const digits = Math.abs(Math.round(count)).toFixed(0);
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, ",");
  return Math.round(count) < 0 ? `-${grouped}` : grouped;
}

/** A number per second: `0.25/s`, `12.5/s`, `49,998/s`. */
export function formatRate(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return dash;
  const small = Math.abs(perSecond) < 100 && !Number.isInteger(perSecond);
  return `${small ? threeDigits(perSecond) : formatCount(perSecond)}/s`;
}

/** Bytes in decimal units: `512 B`, `1.55 MB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return dash;
  if (Math.abs(bytes) < 1_000) return `${Math.round(bytes)} B`;
  return scaled(bytes, byteUnits);
}

/**
 * A share of 1 as a percentage. It says `100 %` or `0 %` only where that is exact: one message lost
 * in a million is `0.0001 %`, and the rest `99.9999 %`.
 */
export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return dash;
  // What rounding leaves of a quotient of sums is no share.
  const percent = Number((share * 100).toPrecision(12));
  const toNearestEnd = Math.min(Math.abs(percent), Math.abs(100 - percent));
  if (toNearestEnd === 0) return `${percent.toFixed(0)} %`;
  if (percent > 100) return `${percent.toFixed(percent < 101 ? 2 : 0)} %`;
  if (toNearestEnd >= 10) return `${percent.toFixed(1)} %`;
  const rounded = Number(toNearestEnd.toPrecision(2));
  const decimals = Math.min(Math.max(1 - Math.floor(Math.log10(rounded)), 0), 20);
  const digits = percent.toFixed(decimals);
  return `${decimals > 2 ? digits.replace(/0+$/, "") : digits} %`;
}

/** CPU as cores: `0.98 of a core`, `2.31 cores`. */
export function formatCores(cores: number): string {
  if (!Number.isFinite(cores)) return dash;
  return cores > 1.005 ? `${cores.toFixed(2)} cores` : `${cores.toFixed(2)} of a core`;
}
