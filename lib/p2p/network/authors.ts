import { latin1Text } from "./latin1_text.ts";

/** Anybody can make up authors: no more of them are remembered. */
const mostAuthors = 10_000;

/** The author of messages. */
export interface Author {
  /** Its peer id, in base58. */
  readonly name: string;
  /** The name alone. */
  readonly itself: ReadonlySet<string>;
}

/** Authors by the bytes of their peer ids. Encoding a peer id costs more than looking it up. */
export class Authors {
  private readonly known = new Map<string, Author>();

  of(id: Uint8Array, encode: () => string): Author {
    const key = latin1Text(id);
    let author = this.known.get(key);
    if (author === undefined) {
      const name = encode();
      author = { name, itself: new Set([name]) };
      if (this.known.size < mostAuthors) this.known.set(key, author);
    }
    return author;
  }

  /** One that {@linkcode of} has been asked for. */
  find(id: Uint8Array): Author | undefined {
    return this.known.get(latin1Text(id));
  }
}

/** What is used of the library's router. */
export interface Forwarder {
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  /** Messages that a peer has said it has. */
  readonly idontwants: ReadonlyMap<string, { has(id: string): boolean }>;
  forwardMessage(
    id: string,
    message: { readonly topic: string; readonly from?: Uint8Array },
    from?: string,
    except?: ReadonlySet<string>,
  ): void;
}

/**
 * Keeps a router from forwarding a message to its own author, as routers in go and rust do: the
 * library spares whom it has the message from alone. To rust-libp2p such a message is invalid. And
 * where nobody of the mesh lacks the message, the router is not asked at all.
 */
export function spareAuthors(router: Forwarder, authors: Authors): void {
  const forward = router.forwardMessage.bind(router);
  router.forwardMessage = (id, message, from, except) => {
    const author = message.from === undefined ? undefined : authors.find(message.from);
    if (author === undefined) return forward(id, message, from, except);
    const lacksIt = (peer: string) =>
      peer !== from && peer !== author.name && except?.has(peer) !== true &&
      router.idontwants.get(peer)?.has(id) !== true;
    let isLacking = false;
    for (const peer of router.mesh.get(message.topic) ?? []) isLacking ||= lacksIt(peer);
    if (!isLacking) return;
    const spared = except === undefined ? author.itself : new Set([...except, author.name]);
    forward(id, message, from, spared);
  };
}
