/** What one side of a relayed connection knows of the other. */
interface Side {
  other: Bun.Socket<Side> | undefined;
  /** What this side does not take yet. */
  readonly waiting: Uint8Array[];
  /** What came from this side before the other one was there. */
  readonly early: Uint8Array[];
}

const newSide = (other?: Bun.Socket<Side>): Side => ({ other, waiting: [], early: [] });

/**
 * A link between two routers that can be cut: bytes go through this process, in both directions, until
 * they do not. What the other side does not take yet is kept.
 */
export class LinkRelay {
  readonly port: number;
  readonly #listener: Bun.TCPSocketListener<Side>;
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #sockets = new Set<Bun.Socket<Side>>();
  #isCut = false;

  constructor(target: { readonly hostname: string; readonly port: number }) {
    this.#target = target;
    this.#listener = Bun.listen<Side>({
      hostname: "127.0.0.1",
      port: 0,
      data: newSide(),
      socket: {
        open: (socket) => this.#accepted(socket),
        data: (socket, bytes) => forward(socket, bytes),
        drain: (socket) => flush(socket),
        close: (socket) => this.#closed(socket),
        error: (socket) => this.#closed(socket),
      },
    });
    this.port = this.#listener.port;
  }

  /** Ends what there is and lets nothing new through. */
  cut(): void {
    this.#isCut = true;
    for (const socket of [...this.#sockets]) socket.terminate();
  }

  restore(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#listener.stop(true);
  }

  #accepted(socket: Bun.Socket<Side>): void {
    socket.data = newSide();
    if (this.#isCut) {
      socket.terminate();
      return;
    }
    this.#sockets.add(socket);
    Bun.connect<Side>({
      ...this.#target,
      data: newSide(socket),
      socket: {
        open: (other) => {
          this.#sockets.add(other);
          socket.data.other = other;
          if (this.#isCut || !this.#sockets.has(socket)) {
            other.terminate();
            return;
          }
          other.data.waiting.push(...socket.data.early.splice(0));
          flush(other);
        },
        data: (other, bytes) => forward(other, bytes),
        drain: (other) => flush(other),
        close: (other) => this.#closed(other),
        error: (other) => this.#closed(other),
        connectError: () => void socket.terminate(),
      },
    }).catch(() => {});
  }

  #closed(socket: Bun.Socket<Side>): void {
    this.#sockets.delete(socket);
    const { other } = socket.data;
    socket.data.other = undefined;
    if (other !== undefined && this.#sockets.has(other)) other.terminate();
  }
}

/** Sends what came on one side to the other. */
function forward(from: Bun.Socket<Side>, bytes: Uint8Array): void {
  const { other, early } = from.data;
  if (other === undefined) {
    early.push(bytes.slice());
    return;
  }
  other.data.waiting.push(bytes.slice());
  flush(other);
}

function flush(to: Bun.Socket<Side>): void {
  const { waiting } = to.data;
  while (waiting.length > 0) {
    const first = waiting[0]!;
    const written = to.write(first);
    if (written < 0) return;
    if (written < first.length) {
      waiting[0] = first.subarray(written);
      return;
    }
    waiting.shift();
  }
}
