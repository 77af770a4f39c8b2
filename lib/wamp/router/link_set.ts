import { isReserved } from "../message/uri.ts";
import type { Link } from "./link.ts";
import type { LinkedRouters } from "./links.ts";
import type { Registration } from "./registration.ts";
import type { Subscription } from "./subscription.ts";

/** How long a client waits for other routers before its subscription is confirmed all the same. */
const answerTimeoutMs = 1000;

/** The links of a realm to other routers. */
export class LinkSet implements LinkedRouters {
  readonly #links: Link[] = [];

  add(link: Link): void {
    this.#links.push(link);
  }

  /** Whether one of them leads to that node. */
  hasUp(node: string): boolean {
    return this.#links.some((link) => link.isUp && link.node === node);
  }

  subscribed(subscription: Subscription): Promise<void> | undefined {
    if (isReserved(subscription.uri)) return undefined;
    return this.#told((link) => link.wishes.subscribe(subscription));
  }

  unsubscribed(subscription: Subscription): void {
    for (const link of this.#links) if (link.isUp) link.wishes.unsubscribe(subscription);
  }

  registered(registration: Registration): Promise<void> | undefined {
    return this.#told((link) => link.wishes.register(registration));
  }

  unregistered(registration: Registration): void {
    for (const link of this.#links) if (link.isUp) link.wishes.unregister(registration);
  }

  #told(tell: (link: Link) => Promise<void>): Promise<void> | undefined {
    const up = this.#links.filter(({ isUp }) => isUp);
    if (up.length === 0) return undefined;
    let timer: ReturnType<typeof setTimeout>;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, answerTimeoutMs);
    });
    const all = Promise.all(up.map(tell)).then(() => {});
    return Promise.race([all, timeout]).finally(() => clearTimeout(timer));
  }
}
