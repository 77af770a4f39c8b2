import { isReserved } from "../message/uri.ts";
import type { Link } from "./link.ts";
import type { LinkedRouters } from "./links.ts";
import type { Registration } from "./registration.ts";
import type { Subscription } from "./subscription.ts";

/** How long a client waits for other routers before its subscription is confirmed all the same. */
const answerTimeoutMs = 1000;

/** The links of a realm to other routers. */
export class LinkSet implements LinkedRouters {
  readonly #node: string;
  readonly #links: Link[] = [];

  /** @param node the name of this router. */
  constructor(node: string) {
    this.#node = node;
  }

  add(link: Link): void {
    this.#links.push(link);
  }

  /** Whether one of them leads to that node. */
  hasUp(node: string): boolean {
    return this.#links.some((link) => link.isUp && link.node === node);
  }

  subscribed(subscription: Subscription): Promise<undefined> | undefined {
    if (isReserved(subscription.uri)) return undefined;
    return this.#told((link) => link.wishes.subscribe(subscription))?.then(() => undefined);
  }

  unsubscribed(subscription: Subscription): void {
    for (const link of this.#links) if (link.isUp) link.wishes.unsubscribe(subscription);
  }

  registered(registration: Registration): Promise<string | undefined> | undefined {
    return this.#told((link) => link.wishes.register(registration))
      ?.then((refusals) => refusals.find((uri) => uri !== undefined));
  }

  unregistered(registration: Registration): void {
    for (const link of this.#links) if (link.isUp) link.wishes.unregister(registration);
  }

  comesBefore(node: string): boolean {
    return this.#node < node;
  }

  /** @returns what each router has answered; nothing, where one takes too long. */
  #told<T>(tell: (link: Link) => Promise<T>): Promise<readonly T[]> | undefined {
    const up = this.#links.filter(({ isUp }) => isUp);
    if (up.length === 0) return undefined;
    let timer: ReturnType<typeof setTimeout>;
    const timeout = new Promise<readonly T[]>((resolve) => {
      timer = setTimeout(() => resolve([]), answerTimeoutMs);
    });
    return Promise.race([Promise.all(up.map(tell)), timeout]).finally(() => clearTimeout(timer));
  }
}
