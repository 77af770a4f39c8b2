import { stressTestTopic } from "./topic.ts";

/** How long a message is held, and how often what is had is told, for all messages together. */
interface Holding {
  /** What the holders of a message tell has to come within this time. */
  readonly heldMs: number;
  readonly tellMs: number;
}

/** Where others may still miss some of their peers, a message must not wait for long. */
const brief: Holding = { heldMs: 120, tellMs: 50 };

/** No mesh has more (D_high). */
export const mostMeshPeers = 12;

/**
 * Later a node tells each peer of its mesh every 100 ms, and all of them no more than 25 times a second:
 * to 20 nodes on two cores, telling everybody every 100 ms was a third of all RPCs. How many peers the
 * meshes of the others have it does not know: it holds for those that have the most.
 */
function settled(meshPeers: number, peers: number): Holding {
  const everyMs = (count: number) => Math.max(100, 40 * count);
  return { tellMs: everyMs(meshPeers), heldMs: 2.5 * everyMs(Math.min(mostMeshPeers, peers)) };
}

const tickMs = 20;

/** A tick that comes so much later than planned says that the node is late. */
const lateMs = 60;

/** A node that is late has not read yet what it was told: then it holds for up to this long. */
const mostHeldMs = 3_000;

/**
 * For so long everyone must have been within reach until nobody is thought to miss anybody: longer than
 * any pause between two dials.
 */
const usualSettledForMs = 6_000;

/** Ids in one RPC; js-libp2p refuses one with more than 512. */
const mostIds = 500;

/** The version of the protocol that brought IDONTWANT. */
const withIdontwant = "/meshsub/1.2.0";

/** What is used of the library's router. */
export interface Forwards {
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  readonly streamsOutbound: ReadonlyMap<string, { readonly protocol: string }>;
  sendIDontWants(id: Uint8Array, topic: string, source: string): void;
  sendRpc(peer: string, rpc: unknown): boolean;
  reportMessageValidationResult(id: string, source: string, acceptance: "accept"): void;
}

/** A message that is not forwarded yet. */
interface Held {
  readonly id: string;
  readonly source: string;
  readonly sinceMs: number;
}

/** A message that has come, and where from. */
interface Had {
  readonly id: Uint8Array;
  readonly source: string;
}

/**
 * Spares a full mesh the copies that nobody needs. An author gives its message to all of its peers at
 * once (flood publish), and each of them would forward it to all others of its mesh, who have it
 * already: of 3 nodes that is half of all that is sent, of 20 five sixths. So where everyone is within
 * reach, what comes straight from its author is held for a moment, IDONTWANT (gossipsub 1.2) tells in
 * one RPC which messages are there, and only those who have neither sent a message nor said so get it
 * forwarded. All else is forwarded at once.
 *
 * A node knows its own reach alone. Who does not reach the author, though this node reaches both, has
 * the message as much later as it is held.
 *
 * The library does the rest: with its option `asyncValidation` it forwards when it is told to, and
 * leaves out who has sent the message meanwhile.
 */
export class HeldForwards {
  private readonly held: Held[] = [];
  private first = 0;
  private had: Had[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private lastTickMs = 0;
  private lastToldMs = 0;
  /** Since when everyone has been within reach, as seen once a second. */
  private fullSinceMs = Infinity;

  constructor(
    private readonly router: Forwards,
    private readonly settledForMs: number = usualSettledForMs,
  ) {
    router.sendIDontWants = (id, topic, source) => {
      if (topic !== stressTestTopic) return;
      this.had.push({ id, source });
      this.run();
    };
  }

  /** To be called once a second, with whether every other node is within reach. */
  inspected(isFull: boolean): void {
    if (!isFull) this.fullSinceMs = Infinity;
    else if (this.fullSinceMs === Infinity) this.fullSinceMs = performance.now();
  }

  /** A valid message, to be called for each. */
  received(id: string, source: string, isFromAuthor: boolean): void {
    if (!isFromAuthor || !this.isFull) return this.forward(id, source);
    this.held.push({ id, source, sinceMs: performance.now() });
    this.run();
  }

  private get isFull(): boolean {
    return this.fullSinceMs !== Infinity;
  }

  /** Forgets what is held. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.held.length = 0;
    this.first = 0;
    this.had = [];
  }

  private forward(id: string, source: string): void {
    this.router.reportMessageValidationResult(id, source, "accept");
  }

  private run(): void {
    if (this.timer !== undefined) return;
    this.lastTickMs = performance.now();
    this.timer = setInterval(() => this.tick(), tickMs);
  }

  private tick(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.lastTickMs > tickMs + lateMs;
    this.lastTickMs = nowMs;
    const { heldMs, tellMs } = nowMs - this.fullSinceMs >= this.settledForMs
      ? settled(
        this.router.mesh.get(stressTestTopic)?.size ?? 0,
        this.router.streamsOutbound.size,
      )
      : brief;
    if (nowMs - this.lastToldMs >= tellMs - tickMs / 2) {
      this.lastToldMs = nowMs;
      this.tell();
    }
    const endedMs = nowMs - (isLate ? mostHeldMs : heldMs);
    while (this.first < this.held.length) {
      const { id, source, sinceMs } = this.held[this.first]!;
      if (sinceMs > endedMs && this.isFull) break;
      this.first++;
      this.forward(id, source);
    }
    // The oldest are taken out in batches: at 6,000 messages/s one by one would take longer than all else.
    if (this.first > 0 && this.first * 2 >= this.held.length) {
      this.held.splice(0, this.first);
      this.first = 0;
    }
    if (this.held.length > 0 || this.had.length > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tell(): void {
    const { had, router } = this;
    if (had.length === 0) return;
    this.had = [];
    for (const peer of router.mesh.get(stressTestTopic) ?? []) {
      if (router.streamsOutbound.get(peer)?.protocol !== withIdontwant) continue;
      const ids = had.filter(({ source }) => source !== peer).map(({ id }) => id);
      for (let start = 0; start < ids.length; start += mostIds) {
        router.sendRpc(peer, idontwant(ids.slice(start, start + mostIds)));
      }
    }
  }
}

/** An RPC as the library encodes it. */
function idontwant(messageIDs: readonly Uint8Array[]): unknown {
  return {
    subscriptions: [],
    messages: [],
    control: { graft: [], prune: [], ihave: [], iwant: [], idontwant: [{ messageIDs }] },
  };
}
