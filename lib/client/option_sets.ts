/** The options that say when messages are due; with none of them connections are only held. */
export const openLoop = ["ratePerSecond", "stages", "scheduleFile"];
/** With any of these a run is a ramp: it opens connections until something breaks. */
export const ramp = ["connections=max", "step", "breakConditions"];
/** With any of these messages are due by a plan, whatever the answers do. */
export const planned = [...openLoop, "intervalMs", ...ramp];
/** With any of these messages are sent. */
export const messages = [...openLoop, "intervalMs", "inflight", ...ramp];
/** Connections of a ramp send at an interval: their number grows, and with it the rate. */
export const otherLoads = ["ratePerSecond", "inflight", "stages", "scheduleFile"];
