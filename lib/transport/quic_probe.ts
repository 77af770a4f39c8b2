import { isIPv6 } from "node:net";
import { codeOf } from "./native_failure.ts";

/** Probes are at least this far apart, however many connections ask. */
const againMs = 100;

/**
 * Asks whether anything listens on a UDP port. The runtime's QUIC sockets are not told about ICMP
 * messages, so that a handshake with a closed port waits for its timeout; a connected socket is told
 * at once (RFC 1122, section 4.1.3.3). What it sends is one zero byte, which no QUIC endpoint answers:
 * the fixed bit is missing (RFC 9000, section 17.3.1).
 *
 * Costs one descriptor from the first `ask` until `stop`.
 */
export class PortProbe {
  readonly #address: string;
  readonly #port: number;
  readonly #refused: () => void;
  #socket: Bun.udp.ConnectedSocket<"uint8array"> | undefined;
  #isOpening = false;
  #isStopped = true;
  #askedAtMs = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param refused called when the port turns out to be closed. */
  constructor(address: string, port: number, refused: () => void) {
    this.#address = address;
    this.#port = port;
    this.#refused = refused;
  }

  /** Sends a probe, at once or soon. Failures of its own mean nothing. */
  ask(): void {
    this.#isStopped = false;
    if (this.#timer !== undefined) return;
    const waitMs = this.#askedAtMs + againMs - performance.now();
    if (waitMs <= 0) return this.#ask();
    this.#timer = setTimeout(() => this.#ask(), waitMs);
    this.#timer.unref();
  }

  #ask(): void {
    this.#timer = undefined;
    this.#askedAtMs = performance.now();
    if (this.#socket !== undefined) this.#send(this.#socket);
    else if (!this.#isOpening) void this.#open();
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    try {
      const socket = await Bun.udpSocket<"uint8array">({
        hostname: isIPv6(this.#address) ? "::" : "0.0.0.0",
        connect: { hostname: this.#address, port: this.#port },
        binaryType: "uint8array",
        // One argument, whatever the types say.
        socket: { error: (...args: unknown[]) => this.#answered(args[0]) },
      });
      if (this.#isStopped) return socket.close();
      this.#socket = socket;
      this.#send(socket);
    } catch {
      // No descriptor, no route: the handshake will say so.
    } finally {
      this.#isOpening = false;
    }
  }

  #send(socket: Bun.udp.ConnectedSocket<"uint8array">): void {
    try {
      socket.send(new Uint8Array(1));
    } catch (error) {
      this.#answered(error);
    }
  }

  #answered(error: unknown): void {
    if (!this.#isStopped && codeOf(error) === "ECONNREFUSED") this.#refused();
  }

  /** Something listens there, or nobody wants to know any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket?.close();
    this.#socket = undefined;
  }
}
