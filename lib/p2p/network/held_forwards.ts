import { stressTestTopic } from "./topic.ts";

/**
 * How long a message from its author is held before it is forwarded. What the author's other peers say
 * of it has to come within this time.
 */
const heldMs = +(process.env.HOLD ?? 40);

/** What is had is told this often, for all messages together. */
const tellMs = +(process.env.TELL ?? 10);

/** A node that is late has not read yet what its peers have told it: it holds for up to this long. */
const mostHeldMs = 500;

/** Ids in one RPC; js-libp2p refuses one with more than 512. */
const mostIds = 500;

/** What is used of the library's router. */
export interface Forwards {
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  readonly streamsOutbound: ReadonlyMap<string, { readonly protocol: string }>;
  sendIDontWants(id: Uint8Array, topic: string, source: string): void;
  sendRpc(peer: string, rpc: unknown): boolean;
  reportMessageValidationResult(id: string, source: string, acceptance: "accept"): void;
}

/** The version of the protocol that brought IDONTWANT. */
const withIdontwant = "/meshsub/1.2.0";

interface Held {
  readonly id: string;
  readonly source: string;
  readonly dueMs: number;
  readonly lastMs: number;
}

interface Had {
  readonly id: Uint8Array;
  readonly source: string;
}

/**
 * Spares a mesh most of the copies that nobody needs. An author gives its message to all of its peers
 * at once (flood publish), and each of them would forward it to all others of its mesh, who have it
 * already: with three nodes that is half of all messages, with twenty five of six. So what comes
 * straight from its author is held for a moment, IDONTWANT tells in one RPC which messages of the
 * moment are there, and it is forwarded to those alone who have neither sent it nor said so. What has
 * come by way of another is forwarded at once.
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

  constructor(private readonly router: Forwards) {
    router.sendIDontWants = (id, topic, source) => {
      if (topic !== stressTestTopic) return;
      this.had.push({ id, source });
      this.run();
    };
  }

  /** A valid message, to be called for each. */
  received(id: string, source: string, isFromAuthor: boolean): void {
    if (!isFromAuthor) {
      this.router.reportMessageValidationResult(id, source, "accept");
      return;
    }
    const nowMs = performance.now();
    this.held.push({ id, source, dueMs: nowMs + heldMs, lastMs: nowMs + mostHeldMs });
    this.run();
  }

  /** Forgets what is held. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.held.length = 0;
    this.first = 0;
    this.had = [];
  }

  private run(): void {
    if (this.timer !== undefined) return;
    this.lastTickMs = performance.now();
    this.timer = setInterval(() => this.tick(), tellMs);
  }

  private tick(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.lastTickMs > 2 * tellMs + 20;
    this.lastTickMs = nowMs;
    this.tell();
    while (this.first < this.held.length) {
      const { id, source, dueMs, lastMs } = this.held[this.first]!;
      if (nowMs < (isLate ? lastMs : dueMs)) break;
      this.first++;
      this.router.reportMessageValidationResult(id, source, "accept");
    }
    if (this.first > 0 && this.first * 2 >= this.held.length) {
      this.held.splice(0, this.first);
      this.first = 0;
    }
    if (this.held.length > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tell(): void {
    const { had, router } = this;
    if (had.length === 0) return;
    this.had = [];
    for (const peer of router.mesh.get(stressTestTopic) ?? []) {
      if (router.streamsOutbound.get(peer)?.protocol !== withIdontwant) continue;
      const messageIDs = had.filter(({ source }) => source !== peer).map(({ id }) => id);
      for (let start = 0; start < messageIDs.length; start += mostIds) {
        router.sendRpc(peer, {
          subscriptions: [],
          messages: [],
          control: {
            graft: [],
            prune: [],
            ihave: [],
            iwant: [],
            idontwant: [{ messageIDs: messageIDs.slice(start, start + mostIds) }],
          },
        });
      }
    }
  }
}
