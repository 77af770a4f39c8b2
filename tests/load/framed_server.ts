import { setListenBacklog, setReceiveBuffer } from "../../lib/host/libc.ts";
import { FixedFrames } from "./fixed_frames.ts";

/** A connection (TCP), or a client's address (UDP), to which answers go. */
export interface Peer {
  answer(frame: Uint8Array): void;
}

export interface FramedServerSettings {
  readonly transport: "tcp" | "udp";
  readonly frameBytes: number;
  /** SO_RCVBUF of what is accepted; the kernel's own choice when left out. */
  readonly receiveBufferBytes?: number;
  /** Connections that may wait to be accepted; the runtime's own choice when left out. */
  readonly backlog?: number;
}

/**
 * Listens on a free port of 127.0.0.1 and calls `frame` for each message that arrives whole. Answers
 * that a client does not read wait in memory.
 *
 * @returns the port.
 */
export async function serveFrames(
  settings: FramedServerSettings,
  frame: (peer: Peer, bytes: Uint8Array) => void,
): Promise<number> {
  return settings.transport === "tcp" ? serveTcp(settings, frame) : await serveUdp(frame);
}

class TcpPeer implements Peer {
  readonly #pending: Uint8Array[] = [];
  readonly frames: FixedFrames;

  constructor(private readonly socket: Bun.Socket<TcpPeer>, frameBytes: number) {
    this.frames = new FixedFrames(frameBytes);
  }

  answer(frame: Uint8Array): void {
    this.#pending.push(frame);
    if (this.#pending.length === 1) this.drain();
  }

  drain(): void {
    while (this.#pending.length > 0) {
      const bytes = this.#pending[0]!;
      const written = Math.max(0, this.socket.write(bytes));
      if (written < bytes.length) {
        this.#pending[0] = bytes.subarray(written);
        return;
      }
      this.#pending.shift();
    }
  }
}

function serveTcp(
  { frameBytes, receiveBufferBytes, backlog }: FramedServerSettings,
  frame: (peer: Peer, bytes: Uint8Array) => void,
): number {
  const listener = Bun.listen<TcpPeer>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      binaryType: "uint8array",
      open(socket) {
        socket.data = new TcpPeer(socket, frameBytes);
      },
      data(socket, bytes) {
        const peer = socket.data;
        peer.frames.cut(bytes, (whole) => frame(peer, whole));
      },
      drain: (socket) => socket.data.drain(),
      error() {},
    },
  });
  // Accepted sockets inherit it: tcp(7).
  const { fd } = listener as unknown as { fd: number };
  if (receiveBufferBytes !== undefined) setReceiveBuffer(fd, receiveBufferBytes);
  if (backlog !== undefined) setListenBacklog(fd, backlog);
  return listener.port;
}

async function serveUdp(frame: (peer: Peer, bytes: Uint8Array) => void): Promise<number> {
  const peers = new Map<number, Peer>();
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    binaryType: "uint8array",
    socket: {
      data(socket, bytes, port, address) {
        let peer = peers.get(port);
        if (peer === undefined) {
          peer = { answer: (answer) => void socket.send(answer, port, address) };
          peers.set(port, peer);
        }
        frame(peer, bytes.slice());
      },
      error() {},
    },
  });
  setReceiveBuffer((socket as unknown as { fd: number }).fd, 4 * 1024 * 1024);
  return socket.port;
}
