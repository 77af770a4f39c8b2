import type { ComponentLogger, Logger } from "./libp2p_types.ts";

/** Says nothing: libp2p's own lines cost time for each frame, and are formatted for no one. */
const nothing: Logger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: () => nothing,
});

export const silentLogger: ComponentLogger = { forComponent: () => nothing };
