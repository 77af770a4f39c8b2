import type { Rows, SettingsOf } from "../../options/row.ts";

/** `holdfast p2p id` has no options. */
export const idRows = {} satisfies Rows;

export type IdSettings = SettingsOf<typeof idRows>;
