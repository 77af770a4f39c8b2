import { codes } from "../message/codes.ts";
import type { Dict } from "../message/message.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";
import { shown } from "../message/shown.ts";
import { Payload } from "../serialization/payload.ts";
import type { Caller, Session } from "./session.ts";

/** A call on its way: from CALL until RESULT or ERROR. */
export class PendingCall {
  readonly caller: Caller;
  /** Of the caller's CALL. */
  readonly request: number;
  readonly callee: Session;
  /** Request of the INVOCATION. */
  readonly invocation: number;
  readonly wantsProgress: boolean;
  /** 0: none. With progressive results it holds for the time until each. */
  readonly timeoutMs: number;
  /** Whether the callee sees to the time limit itself. */
  readonly isTimedByCallee: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isInterrupted = false;

  /** @throws {ProtocolViolation} the options of the call cannot be. */
  constructor(
    caller: Caller,
    request: number,
    callee: Session,
    options: Dict,
    isTimedByCallee: boolean,
  ) {
    const timeoutMs = options["timeout"] ?? 0;
    if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
      throw new ProtocolViolation(`${shown(timeoutMs)} is no timeout of CALL`);
    }
    this.caller = caller;
    this.request = request;
    this.callee = callee;
    this.invocation = callee.nextRequest();
    // The specification wants `call_canceling` too, which autobahn's callees do not announce; results
    // for a caller that has gone are dropped here.
    this.wantsProgress = options["receive_progress"] === true &&
      callee.features.givesProgress;
    this.timeoutMs = timeoutMs;
    this.isTimedByCallee = isTimedByCallee;
  }

  begin(): void {
    this.caller.calls.set(this.request, this);
    this.callee.invocations.set(this.invocation, this);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.caller.calls.delete(this.request);
    this.callee.invocations.delete(this.invocation);
  }

  /** Runs `expired` after that time, instead of what was set before. */
  setTimer(ms: number, expired: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(expired, ms);
  }

  /**
   * Tells the callee that the call is not wanted any more.
   *
   * @returns whether it can be told.
   */
  interrupt(mode: "kill" | "killnowait"): boolean {
    const { callee } = this;
    if (!callee.features.canBeCanceled || callee.isClosed) return false;
    if (!this.#isInterrupted) {
      this.#isInterrupted = true;
      callee.send([codes.interrupt, this.invocation, { mode }], Payload.empty);
    }
    return true;
  }
}
