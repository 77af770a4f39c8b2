import { formatCount } from "../stats/figures.ts";

/** Sizes are chosen in powers of two, and read best so: `36 B`, `64 KiB`, `4 MiB`. */
export function sizeText(bytes: number): string {
  if (bytes >= 2 ** 20 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  if (bytes >= 2 ** 10 && bytes % 2 ** 10 === 0) return `${bytes / 2 ** 10} KiB`;
  return `${formatCount(bytes)} B`;
}
