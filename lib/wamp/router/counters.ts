/** What a router has done since it started. */
export interface RouterCounters {
  sessionsOpened: number;
  sessionsClosed: number;
  /** ABORT was the answer: to HELLO, or to what is not WAMP. */
  sessionsAborted: number;
  /** Publications of clients of this router. */
  publications: number;
  /** Publications that came from other routers. */
  publicationsForwarded: number;
  /** Events to clients, of publications of this router's own clients. */
  eventsLocal: number;
  /** Events to clients, of publications that came from other routers. */
  eventsForwarded: number;
  /** Publications sent to other routers. */
  eventsToLinks: number;
  calls: number;
  /** Calls that came from other routers. */
  callsForwarded: number;
  /** Invocations sent to other routers. */
  invocationsToLinks: number;
  /** Calls that ended with an error. */
  callErrors: number;
  /** Messages that were longer than what the client takes, and were not sent. */
  tooLong: number;
  /** Publications and answers of other routers that clients here cannot be told in their serialization. */
  unreadable: number;
  /** How often the process stood still, and asked everybody whether they are still there. */
  standstills: number;
  /** Exceptions that ended a session, and should not have happened. */
  failures: number;
}

export function newCounters(): RouterCounters {
  return {
    sessionsOpened: 0,
    sessionsClosed: 0,
    sessionsAborted: 0,
    publications: 0,
    publicationsForwarded: 0,
    eventsLocal: 0,
    eventsForwarded: 0,
    eventsToLinks: 0,
    calls: 0,
    callsForwarded: 0,
    invocationsToLinks: 0,
    callErrors: 0,
    tooLong: 0,
    unreadable: 0,
    standstills: 0,
    failures: 0,
  };
}
