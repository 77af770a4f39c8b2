import { test } from "bun:test";
import { createHost, type Host, type HostListener } from "../../../lib/p2p/network/host.ts";
import type { Stream } from "../../../lib/p2p/network/libp2p_types.ts";
import type {
  BroadcastNetwork,
  DropReason,
  NetworkHandlers,
  NetworkProtocol,
  NetworkSettings,
} from "../../../lib/p2p/network/network.ts";
import { startNetwork } from "../../../lib/p2p/network/start.ts";
import { readStream } from "../../../lib/p2p/network/stream_reader.ts";

/** What a network told its node. */
export class Told implements NetworkHandlers {
  readonly messages: Uint8Array[] = [];
  readonly sentTokens: number[] = [];
  readonly droppedTokens: { reason: DropReason; token: number }[] = [];

  received(message: Uint8Array) {
    this.messages.push(new Uint8Array(message));
  }

  sent(token: number) {
    this.sentTokens.push(token);
  }

  dropped(reason: DropReason, token: number) {
    this.droppedTokens.push({ reason, token });
  }

  event() {}

  roundTrip() {}
}

export interface Node {
  readonly network: BroadcastNetwork;
  readonly told: Told;
}

/** Ends what a test has started, also when it fails. */
export class Started {
  private readonly ends: (() => Promise<void>)[] = [];

  async node(
    protocol: NetworkProtocol,
    nodeId: number,
    bootstrap: readonly string[],
    others: Partial<NetworkSettings> = {},
  ): Promise<Node> {
    const told = new Told();
    const network = await startNetwork(settings(protocol, nodeId, bootstrap, others), told);
    this.ends.push(() => network.stop());
    return { network, told };
  }

  /** A peer without a protocol of its own, which does what the test says. */
  async peer(
    nodeId: number,
    bootstrap: readonly string[],
    listener: HostListener = {},
    others: Partial<NetworkSettings> = {},
  ): Promise<Host> {
    const host = await createHost(
      settings("sqmr", nodeId, bootstrap, others),
      new Told(),
      listener,
    );
    this.ends.push(() => host.stop());
    host.dial();
    return host;
  }

  also(end: () => Promise<void>) {
    this.ends.push(end);
  }

  async end() {
    await Promise.all(this.ends.map((end) => end()));
  }
}

/** Settings of a node on a free port of loopback. */
export function settings(
  protocol: NetworkProtocol,
  nodeId: number,
  bootstrap: readonly string[],
  others: Partial<NetworkSettings>,
): NetworkSettings {
  return {
    protocol,
    nodeId,
    numNodes: 10,
    listenHost: "127.0.0.1",
    listenPort: 0,
    bootstrap,
    bufferSize: 100_000,
    messageBytes: 1024,
    quic: false,
    broadcaster: undefined,
    ...others,
  };
}

/** Waits until something holds, for ten seconds at most. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > 10_000) throw new Error(`not within 10 s: ${what}`);
    await Bun.sleep(5);
  }
}

/** The one connection of a peer. */
export async function connectionOf(host: Host) {
  await until("a connection", () => host.connectedPeers() > 0);
  const [connection] = [...host.connections()];
  if (connection === undefined) throw new Error("there is no connection");
  return connection;
}

/** Everything that comes on a stream, up to its end. */
export class Heard {
  bytes = Buffer.alloc(0);
  ended = false;
  failure: Error | undefined;

  constructor(stream: Stream) {
    readStream(stream, {
      piece: (bytes) => this.bytes = Buffer.concat([this.bytes, bytes]),
      ended: (failure) => {
        this.failure = failure;
        this.ended = true;
      },
    });
  }
}

/** A message whose bytes tell which it is. */
export function message(sizeBytes: number, number: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = i * 31 + number;
  if (sizeBytes >= 4) new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export const numberOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

/** A test of peers, which end with it however it ends. */
export function withPeers(name: string, body: (started: Started) => Promise<void>) {
  test(name, async () => {
    const started = new Started();
    try {
      await body(started);
    } finally {
      await started.end();
    }
  }, 30_000);
}
