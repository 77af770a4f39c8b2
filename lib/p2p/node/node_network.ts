import type {
  BroadcastNetwork,
  ClockOffset,
  DropReason,
  NetworkHandlers,
  NetworkSettings,
  StartNetwork,
} from "../network/network.ts";
import { emptyEventCounts, type PeerCounts } from "../snapshot.ts";

/** What a node does with what its network tells it. */
export interface NodeNetworkEvents {
  received(message: Uint8Array): void;
  sent(token: number): void;
  dropped(reason: DropReason, token: number): void;
  roundTrip(rttNs: number): void;
}

const withoutPeers: PeerCounts = {
  connected: 0,
  reachable: 0,
  blacklisted: 0,
  sessionsIn: 0,
  sessionsOut: 0,
};

/**
 * The network of a node, which `explore` drops and builds anew: counts go on, the port stays, and
 * whatever a network says after it was dropped is not heard.
 */
export class NodeNetwork {
  readonly events = emptyEventCounts();
  /** The most peers that were connected at the same time, as far as anybody looked. */
  mostPeers = 0;
  private current: BroadcastNetwork | undefined;
  private listenPort: number;
  private opening: Promise<void> = Promise.resolve();
  private earlierInvalid = 0;
  private earlierCopies = 0;
  private earlierOverflowed = 0;
  private readonly knownOffsets = new Map<number, ClockOffset>();
  private known: { readonly peerId: string; readonly addresses: readonly string[] } = {
    peerId: "",
    addresses: [],
  };

  constructor(
    private readonly settings: NetworkSettings,
    private readonly listener: NodeNetworkEvents,
    private readonly startNetwork: StartNetwork,
  ) {
    this.listenPort = settings.listenPort;
  }

  /**
   * Builds the network.
   *
   * @param messageBytes size of the messages from now on.
   * @throws {HoldfastError} as `StartNetwork` says.
   */
  open(messageBytes: number = this.settings.messageBytes): Promise<void> {
    return this.opening = this.build(messageBytes);
  }

  private async build(messageBytes: number): Promise<void> {
    const { settings, listener, events } = this;
    let isCurrent = true;
    this.silence = () => isCurrent = false;
    const handlers: NetworkHandlers = {
      received: (message) => isCurrent && listener.received(message),
      dropped: (reason, token) => isCurrent && listener.dropped(reason, token),
      sent: (token) => isCurrent && listener.sent(token),
      // Those of an end belong to the network that ends.
      event: (type) => void events[type]++,
      roundTrip: (_, rttNs) => isCurrent && listener.roundTrip(rttNs),
    };
    const network = await this.startNetwork(
      { ...settings, listenPort: this.listenPort, messageBytes },
      handlers,
    );
    this.current = network;
    this.known = network;
    this.listenPort = portOf(network.addresses) ?? this.listenPort;
  }

  private silence: () => void = () => {};

  /** Drops the network for good, also one that is being built. */
  async close(): Promise<void> {
    await this.opening.catch(() => {});
    await this.drop();
  }

  /** Drops the network with all that it has queued. */
  async drop(): Promise<void> {
    const { current } = this;
    if (current === undefined) return;
    this.peers();
    this.clockOffsets();
    this.silence();
    this.earlierInvalid += current.invalidMessages();
    this.earlierCopies += current.removedCopies();
    this.earlierOverflowed += current.overflowed();
    this.current = undefined;
    await current.stop();
  }

  get peerId(): string {
    return this.known.peerId;
  }

  get addresses(): readonly string[] {
    return this.known.addresses;
  }

  publish(message: Uint8Array, token: number): DropReason | undefined {
    return this.current === undefined
      ? "no_peers_subscribed_to_topic"
      : this.current.publish(message, token);
  }

  peers(): PeerCounts {
    const { current } = this;
    if (current === undefined) return { ...withoutPeers };
    const connected = current.connectedPeers();
    this.mostPeers = Math.max(this.mostPeers, connected);
    return {
      connected,
      reachable: current.reachablePeers(),
      blacklisted: current.blacklisted(),
      sessionsIn: current.activeInbound(),
      sessionsOut: current.activeOutbound(),
    };
  }

  invalidMessages(): number {
    return this.earlierInvalid + (this.current?.invalidMessages() ?? 0);
  }

  removedCopies(): number {
    return this.earlierCopies + (this.current?.removedCopies() ?? 0);
  }

  overflowed(): number {
    return this.earlierOverflowed + (this.current?.overflowed() ?? 0);
  }

  /** The latest estimate for each peer, also for those that have gone. */
  clockOffsets(): readonly ClockOffset[] {
    for (const offset of this.current?.clockOffsets() ?? []) {
      this.knownOffsets.set(offset.peer, offset);
    }
    return [...this.knownOffsets.values()].sort((a, b) => a.peer - b.peer);
  }
}

/** The port of a bound multiaddress. */
function portOf(addresses: readonly string[]): number | undefined {
  const port = /\/(?:tcp|udp)\/(\d+)/.exec(addresses[0] ?? "")?.[1];
  return port === undefined ? undefined : Number(port);
}
