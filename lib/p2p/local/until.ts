const lookEveryMs = 20;

export interface Waiting {
  readonly withinMs: number;
  /** Ends the waiting early. */
  readonly signal?: AbortSignal;
}

/**
 * Waits until something is so, looking 50 times a second.
 *
 * @returns whether it is.
 */
export async function until(isSo: () => boolean, { withinMs, signal }: Waiting): Promise<boolean> {
  const sinceMs = performance.now();
  while (!isSo()) {
    const leftMs = withinMs - (performance.now() - sinceMs);
    if (!(leftMs > 0) || signal?.aborted === true) return false;
    await Bun.sleep(Math.min(lookEveryMs, leftMs));
  }
  return true;
}
