/** Who broadcasts, and when; the values of `--mode`. */
export const modes = ["all", "one", "rr", "explore"] as const;

export type Mode = (typeof modes)[number];
