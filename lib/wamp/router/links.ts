import type { Registration } from "./registration.ts";
import type { Subscription } from "./subscription.ts";

/**
 * What has to be told to other routers: what this router's own clients want and offer. A promise
 * settles when the routers that are connected have answered, or take too long.
 */
export interface LinkedRouters {
  subscribed(subscription: Subscription): Promise<undefined> | undefined;
  unsubscribed(subscription: Subscription): void;
  /** Settles with the URI of the error where a router refuses it: a client there has it. */
  registered(registration: Registration): Promise<string | undefined> | undefined;
  unregistered(registration: Registration): void;
  /** Whether what a client here wants comes before what a client of that node wants at the same time. */
  comesBefore(node: string): boolean;
}

/** Without links. */
export const noLinks: LinkedRouters = {
  subscribed: () => undefined,
  unsubscribed() {},
  registered: () => undefined,
  unregistered() {},
  comesBefore: () => true,
};
