import assert from "node:assert/strict";
import { emptyHeader, readMessage, writeHeader } from "../../../lib/p2p/message.ts";
import type { BroadcastNetwork, NetworkProtocol } from "../../../lib/p2p/network/network.ts";
import { startNetwork } from "../../../lib/p2p/network/start.ts";

const eventWithinMs = 20_000;

interface Arrival {
  readonly sender: number;
  readonly index: number;
  readonly bytes: number;
}

/** Our side of a network, in this process, with what it was told. Leaving its scope ends it. */
export class HoldfastNetwork implements AsyncDisposable {
  readonly arrivals: Arrival[] = [];
  readonly refused: string[] = [];
  readonly dropped: string[] = [];
  sent = 0;
  #network!: BroadcastNetwork;
  #index = 0;

  private constructor(readonly nodeId: number) {}

  static async start(
    protocol: NetworkProtocol,
    nodeId: number,
    bootstrap: readonly string[],
    { numNodes = 8, messageBytes = 1024, listenPort = 0 } = {},
  ): Promise<HoldfastNetwork> {
    const own = new HoldfastNetwork(nodeId);
    const header = emptyHeader();
    own.#network = await startNetwork(
      {
        protocol,
        nodeId,
        numNodes,
        bootstrap,
        listenHost: "127.0.0.1",
        listenPort,
        bufferSize: 100_000,
        messageBytes,
        quic: false,
        broadcaster: undefined,
      },
      {
        received: (message) => {
          const refusal = readMessage(message, header);
          if (refusal !== undefined) own.refused.push(refusal);
          const { sender, index } = header;
          own.arrivals.push({ sender, index, bytes: message.byteLength });
        },
        dropped: (reason) => own.dropped.push(reason),
        sent: () => own.sent++,
        event: () => {},
        roundTrip: () => {},
      },
    );
    return own;
  }

  get network(): BroadcastNetwork {
    return this.#network;
  }

  get address(): string {
    return this.#network.addresses[0]!;
  }

  /** Broadcasts one message of so many bytes. */
  send(bytes: number): void {
    const message = new Uint8Array(bytes);
    const nowMs = Date.now();
    const seconds = Math.floor(nowMs / 1000);
    writeHeader(message, this.nodeId, this.#index, seconds, (nowMs % 1000) * 1e6);
    assert.equal(this.#network.publish(message, this.#index++), undefined);
  }

  /** The indices that came from a sender, in order of arrival. */
  indicesFrom(sender: number): number[] {
    return this.arrivals.filter((arrival) => arrival.sender === sender)
      .map(({ index }) => index);
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const deadlineMs = performance.now() + eventWithinMs;
    while (!holds()) {
      if (performance.now() > deadlineMs) {
        const seen =
          `${this.arrivals.length} messages came, ${this.network.connectedPeers()} peers`;
        assert.fail(`holdfast: no sign that ${what}; ${seen}`);
      }
      await Bun.sleep(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#network.stop();
  }
}
