import { isOutOfFds } from "../transport/descriptors.ts";

/**
 * Says when the process has run out of descriptors, and when it has some again. The transports keep
 * a reserve and refuse by themselves; it can still be used up, for instance by connections to a
 * WebSocket endpoint that never ask for an upgrade, and the runtime says nothing then.
 */
export class DescriptorWatch {
  readonly #note: (line: string) => void;
  #isOut = false;

  constructor(note: (line: string) => void) {
    this.#note = note;
  }

  /** Called from time to time; costs 5 µs. */
  look(): void {
    const isOut = isOutOfFds();
    if (isOut === this.#isOut) return;
    this.#isOut = isOut;
    this.#note(
      isOut
        ? "no file descriptor is left: new connections wait, open ones go on; raise ulimit -n or " +
          "lower --max-connections"
        : "there are file descriptors again",
    );
  }
}
