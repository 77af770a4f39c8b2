import { setReceiveBuffer, setSendBuffer } from "../host/libc.ts";
import type { Endpoint } from "./endpoint.ts";
import { listenError } from "./listen_error.ts";
import { codeOf } from "./native_failure.ts";
import type { ConnectionHandlers, Listener, ListenSettings, TransportTraits } from "./transport.ts";

/** Room for what comes while this process does something else: 0.1 s at 150,000 small ones/s. */
const bufferBytes = 16 * 1024 * 1024;

/** Ports below are those of services, which might answer an answer. */
const firstClientPort = 1024;

/** What Bun has on sockets and takes as options, but leaves out of its types. */
interface UdpSocket extends Bun.udp.Socket<"uint8array"> {
  readonly fd: number;
}
interface UdpOptions extends Bun.udp.SocketOptions<"uint8array"> {
  /** 4: SO_REUSEPORT. */
  readonly flags: number;
}

/**
 * Receives datagrams on one socket and answers them. All happens under id 0; it costs nothing per
 * peer.
 *
 * A datagram from a port below 1024, or from the number of this port itself, is handed to nobody:
 * it could come from another echo service (chargen, DNS, another holdfast), and the two would feed
 * each other for ever (CERT CA-1996-01). `settings.dropped` counts it.
 *
 * An answer that the kernel does not take is lost: `send` returns 0 and no `drain` follows, since
 * by then nobody knows whom it was for.
 */
class UdpListener implements Listener {
  readonly endpoint: Endpoint;
  readonly traits: TransportTraits;
  readonly #handlers: ConnectionHandlers;
  readonly #settings: ListenSettings;
  readonly #port: number;
  #socket: UdpSocket | undefined;
  /** The sender of the datagram that is being handled; port 0 while there is none. */
  #peerPort = 0;
  #peerAddress = "";

  constructor(
    endpoint: Endpoint,
    socket: UdpSocket,
    handlers: ConnectionHandlers,
    settings: ListenSettings,
    traits: TransportTraits,
  ) {
    this.endpoint = { ...endpoint, port: socket.port, lastPort: socket.port };
    this.traits = traits;
    this.#handlers = handlers;
    this.#settings = settings;
    this.#socket = socket;
    this.#port = socket.port;
    setReceiveBuffer(socket.fd, bufferBytes);
    setSendBuffer(socket.fd, bufferBytes);
  }

  received(bytes: Uint8Array, port: number, address: string): void {
    if (port < firstClientPort || port === this.#port) {
      this.#settings.dropped?.();
      return;
    }
    this.#peerPort = port;
    this.#peerAddress = address;
    try {
      this.#handlers.data(0, bytes, false);
    } finally {
      this.#peerPort = 0;
    }
  }

  /**
   * ICMP messages about answers that could not be delivered come here, and mean nothing for other
   * peers; so does what a handler throws, which must not go unseen.
   */
  erred(error: unknown): void {
    if (codeOf(error) !== "") return;
    queueMicrotask(() => {
      throw error;
    });
  }

  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
  ): number {
    if (id !== 0 || this.#peerPort === 0 || messageBytes > this.traits.maxMessageBytes) return 0;
    let sent = 0;
    while (sent < length) {
      const from = offset + sent;
      const isAll = from === 0 && messageBytes === bytes.length;
      const message = isAll ? bytes : bytes.subarray(from, from + messageBytes);
      if (!this.#sendOne(message)) break;
      sent += messageBytes;
    }
    return sent;
  }

  #sendOne(message: Uint8Array): boolean {
    // What the system says may be about an earlier answer to another peer: it is said once.
    for (let tries = 0; tries < 2; tries++) {
      try {
        return this.#socket?.send(message, this.#peerPort, this.#peerAddress) ?? false;
      } catch {
        continue;
      }
    }
    return false;
  }

  pause(_id: number): void {}
  resume(_id: number): void {}
  finish(_id: number): void {}
  close(_id: number): void {}
  terminate(_id: number): void {}

  /** There are no connections that could be told apart from new ones. */
  stopAccepting(): void {}

  shutdown(): Promise<void> {
    this.#socket?.close();
    this.#socket = undefined;
    return Promise.resolve();
  }
}

/** @throws {HostLimitError} the endpoint cannot be bound. */
export async function listenUdp(
  endpoint: Endpoint,
  handlers: ConnectionHandlers,
  settings: ListenSettings,
  traits: TransportTraits,
): Promise<Listener> {
  let listener: UdpListener | undefined = undefined;
  const socket = await bind(endpoint, settings, {
    data: (_socket, bytes, port, address) => listener?.received(bytes, port, address),
    // Called with the error alone; its type says otherwise.
    error: (...args: unknown[]) => listener?.erred(args.at(-1)),
  });
  listener = new UdpListener(endpoint, socket, handlers, settings, traits);
  return listener;
}

async function bind(
  endpoint: Endpoint,
  settings: ListenSettings,
  socket: Bun.udp.SocketHandler<"uint8array">,
): Promise<UdpSocket> {
  // "::" takes IPv4 as well (RFC 3493, section 5.3).
  const hosts = endpoint.host === "" ? ["::", "0.0.0.0"] : [endpoint.host];
  for (const [index, hostname] of hosts.entries()) {
    const options: UdpOptions = {
      hostname,
      port: endpoint.port,
      binaryType: "uint8array",
      flags: settings.reusePort ? 4 : 0,
      socket,
    };
    try {
      return await Bun.udpSocket(options) as UdpSocket;
    } catch (error) {
      const code = codeOf(error);
      const hasNoIpv6 = code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
      if (!hasNoIpv6 || index === hosts.length - 1) throw listenError(endpoint, error);
    }
  }
  throw listenError(endpoint, new Error("no address to bind"));
}
