/** What a histogram is made of, as plain data for another process. */
export interface PackedHistogram {
  /** Indexes of the buckets that are not empty, each followed by its count. */
  readonly buckets: Float64Array;
  readonly sumNs: number;
  readonly minNs: number;
  readonly maxNs: number;
  readonly clamped: number;
}
