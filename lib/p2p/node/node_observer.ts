/**
 * Told of every message, during the call that counts it; must not keep its caller waiting. All
 * instants are nanoseconds since `originSeconds` of the node's settings, by this host's real-time
 * clock: exact in a double, which nanoseconds since 1970 are not.
 */
export interface NodeObserver {
  /** This node's message was handed to the sockets of its peers. */
  sent?(index: number, intendedNs: number, sizeBytes: number): void;
  /** The first arrival of a message; `intendedNs` is the time in its header. */
  received?(
    sender: number,
    index: number,
    intendedNs: number,
    arrivedNs: number,
    sizeBytes: number,
  ): void;
  /** A further arrival of one. */
  duplicated?(sender: number, index: number, arrivedNs: number): void;
  /** `explore`: the network state was dropped, and the trial of that number comes next. */
  reset?(nextTrial: number): void;
}
