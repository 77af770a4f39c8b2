/**
 * The monotonic clock of every measurement: nanoseconds since the process started, as a double
 * (exact to below 1 ns for 52 days). A call costs about 33 ns.
 */
export const nowNs: () => number = Bun.nanoseconds;
