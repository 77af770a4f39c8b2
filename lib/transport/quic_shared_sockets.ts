import {
  destroyEndpoint,
  type NativeEndpoint,
  type NativeQuic,
  newEndpoint,
} from "./quic_native.ts";
import { hostPort } from "./resolve.ts";
import type { SourceAddresses } from "./transport.ts";

const endpointClosesWithinMs = 2000;
/**
 * How long a UDP socket outlives its last connection. Packets that are still on their way to it would
 * else come back to the server as ICMP errors, and one of those makes the runtime's QUIC stop sending
 * for a second on the endpoint that it concerns: all other sessions of that port would stand still.
 */
const restMs = 1000;
/** The same at the end of it all, where what is on its way has been on it for a round trip at most. */
const lastRestMs = 50;
/**
 * Where there are more sockets than this, only some of them rest: what comes for a session that is
 * gone is handed to all other endpoints of the process, so that the end of 4,096 connections with a
 * socket each would take a minute.
 */
const few = 400;
const maxRestingOfMany = 16;

/** A UDP socket and how many connections use it. */
export interface SharedSocket {
  readonly key: number;
  readonly endpoint: NativeEndpoint;
  /** What it is bound to; undefined where the kernel chooses. */
  readonly source: { readonly address: string; readonly pair: number } | undefined;
  users: number;
  /** A session was started on it. */
  isBound: boolean;
  /** Runs while nobody uses it. */
  rest: ReturnType<typeof setTimeout> | undefined;
}

/** The UDP sockets of a dialer, by keys that it chooses; each is made when it is first used. */
export class SharedSockets {
  readonly #quic: NativeQuic;
  readonly #sources: SourceAddresses | undefined;
  readonly #lost: (socket: SharedSocket) => void;
  readonly #sockets = new Map<number, SharedSocket>();
  readonly #closings = new Set<Promise<void>>();
  #resting = 0;

  /** @param lost called when the runtime closes a socket that was in use. */
  constructor(
    quic: NativeQuic,
    sources: SourceAddresses | undefined,
    lost: (socket: SharedSocket) => void,
  ) {
    this.#quic = quic;
    this.#sources = sources;
    this.#lost = lost;
  }

  /**
   * The socket with this key, one user more.
   *
   * @returns undefined when it would have to be made and the source addresses are used up.
   */
  enter(key: number, isIPv6: boolean): SharedSocket | undefined {
    const socket = this.#sockets.get(key) ?? this.#make(key, isIPv6);
    if (socket === undefined) return undefined;
    socket.users++;
    this.#wake(socket);
    return socket;
  }

  #make(key: number, isIPv6: boolean): SharedSocket | undefined {
    const sources = this.#sources;
    let address = isIPv6 ? "[::]:0" : "0.0.0.0:0";
    let source: SharedSocket["source"];
    if (sources !== undefined) {
      const pair = sources.next(isIPv6);
      if (pair < 0) return undefined;
      address = hostPort(sources.address, sources.port);
      source = { address: sources.address, pair };
    }
    const endpoint = newEndpoint(this.#quic, address);
    const socket: SharedSocket = {
      key,
      endpoint,
      source,
      users: 0,
      isBound: false,
      rest: undefined,
    };
    this.#sockets.set(key, socket);
    const closed = () => {
      // Once for each socket, whatever ended it: its port is free.
      if (source !== undefined) sources?.release(source.pair);
      if (!this.#forget(socket) || !socket.isBound) return;
      this.#wake(socket);
      this.#lost(socket);
    };
    endpoint.closed.then(closed, closed);
    return socket;
  }

  /** One user less; without any the socket is closed soon. */
  leave(socket: SharedSocket): void {
    if (--socket.users > 0) return;
    const areMany = this.#sockets.size > few;
    if (areMany && this.#resting >= maxRestingOfMany) return this.#close(socket);
    this.#resting++;
    socket.rest = setTimeout(() => this.#close(socket), restMs);
    socket.rest.unref();
  }

  /** The socket could not be bound: its key stands for another one from now on. */
  discard(socket: SharedSocket): void {
    this.#forget(socket);
  }

  #forget(socket: SharedSocket): boolean {
    return this.#sockets.get(socket.key) === socket && this.#sockets.delete(socket.key);
  }

  #wake(socket: SharedSocket): void {
    if (socket.rest === undefined) return;
    clearTimeout(socket.rest);
    socket.rest = undefined;
    this.#resting--;
  }

  #close(socket: SharedSocket): void {
    this.#wake(socket);
    this.#forget(socket);
    const closing = destroyEndpoint(socket.endpoint, endpointClosesWithinMs);
    this.#closings.add(closing);
    void closing.then(() => this.#closings.delete(closing));
  }

  /** Closes all of them, after the connections have ended. */
  async shutdown(): Promise<void> {
    if (this.#resting > 0) await Bun.sleep(lastRestMs);
    for (const socket of [...this.#sockets.values()]) this.#close(socket);
    await Promise.all(this.#closings);
  }
}
