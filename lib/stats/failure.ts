/** Every way in which a connection can fail, whatever the transport calls it natively. */
export const failureKinds = [
  "refused",
  "reset",
  "timeout",
  "dns",
  "tls",
  "protocol",
  "host-fds",
  "host-ports",
  "host-memory",
  "host-worker",
  "idle",
  "closed-by-peer",
  "unreachable",
] as const;

export type FailureKind = (typeof failureKinds)[number];

/**
 * Why a connection could not be opened or did not stay open.
 * `detail` is the native error in one line (`ECONNREFUSED connect 127.0.0.1:1`).
 * Failures that need no detail of their own are shared objects: a mass failure allocates nothing.
 */
export interface Failure {
  readonly kind: FailureKind;
  readonly detail: string;
}
